variable "cidr" {
  type = string
}

variable "zones" {
  type = list(string)
}

resource "terraform_data" "vpc" {
  input = var.cidr
}

resource "terraform_data" "subnet" {
  for_each = toset(var.zones)
  input    = "${terraform_data.vpc.id}/${each.key}"
}

output "vpc_id" {
  value = terraform_data.vpc.id
}

output "subnets" {
  value = { for zone, subnet in terraform_data.subnet : zone => subnet.id }
}
