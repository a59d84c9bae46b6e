# Three unchanged Terraform root modules as one graph: network -> cluster -> app. Needs terraform on PATH; the roots use
# terraform_data only, so no provider is downloaded.

stack "three-roots" {
  description = "network, cluster and app: outputs flow along the edges"
}

variable "cidr" {
  type    = string
  default = "10.0.0.0/16"
}

variable "nodes" {
  type    = number
  default = 3
}

variable "image_tag" {
  type        = string
  default     = "v1"
  description = "only the app depends on it"
}

resource "terraform_root" "network" {
  source = "./network"
  variables = {
    cidr  = var.cidr
    zones = ["a", "b"]
  }
}

resource "terraform_root" "cluster" {
  source = "./cluster"
  variables = {
    vpc_id  = terraform_root.network.outputs.vpc_id
    subnets = terraform_root.network.outputs.subnets
    nodes   = var.nodes
  }
}

resource "terraform_root" "app" {
  source = "./app"
  variables = {
    endpoint  = terraform_root.cluster.outputs.endpoint
    image_tag = var.image_tag
  }
}

# An output of a Terraform root in a file of another provider.
resource "local_file" "handover" {
  path    = "handover.txt"
  content = "cluster: ${terraform_root.cluster.outputs.endpoint}\n"
}

output "url" {
  value = terraform_root.app.outputs.url
}

output "endpoint" {
  value = terraform_root.cluster.outputs.endpoint
}
