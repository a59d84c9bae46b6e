variable "vpc_id" {
  type = string
}

variable "subnets" {
  type = map(string)
}

variable "nodes" {
  type = number
}

resource "terraform_data" "control_plane" {
  input = {
    vpc_id  = var.vpc_id
    subnets = var.subnets
  }
}

resource "terraform_data" "node" {
  count = var.nodes
  input = "${terraform_data.control_plane.id}/${count.index}"
}

output "endpoint" {
  value = "https://${terraform_data.control_plane.id}.example"
}

output "nodes" {
  value = length(terraform_data.node)
}
