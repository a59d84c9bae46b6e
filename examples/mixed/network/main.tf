variable "cidr" {
  type = string
}

resource "terraform_data" "network" {
  input = "net-${replace(split("/", var.cidr)[0], ".", "-")}"
}

output "network_id" {
  value = terraform_data.network.output
}
