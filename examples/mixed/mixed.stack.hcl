# One graph over four tools: a Terraform root -> a CloudFormation stack -> a Bicep deployment -> a file. Needs `terraform`, `aws`
# with credentials and `az`, logged in. The root uses terraform_data only, so no provider is downloaded.

stack "mixed" {
  description = "what one cloud makes is handed to the other"
}

variable "prefix" {
  type    = string
  default = "windlass-mixed"
}

variable "cidr" {
  type    = string
  default = "10.2.0.0/16"
}

provider "cloudformation" {
  region = "eu-west-1"
}

resource "terraform_root" "network" {
  source    = "./network"
  variables = { cidr = var.cidr }
}

resource "cloudformation_stack" "queue" {
  name          = "${var.prefix}-queue"
  template_file = "queue.yaml"
  parameters = {
    Prefix = var.prefix
    Origin = terraform_root.network.outputs.network_id
  }
}

resource "bicep_deployment" "relay" {
  name                  = "${var.prefix}-relay"
  template_file         = "relay.json"
  resource_group        = "${var.prefix}-rg"
  create_resource_group = true
  location              = "westeurope"
  parameters = {
    name     = "${var.prefix}-relay"
    queueUrl = cloudformation_stack.queue.outputs.QueueUrl
  }
}

resource "local_file" "handover" {
  path    = "handover.txt"
  content = "${terraform_root.network.outputs.network_id} -> ${bicep_deployment.relay.outputs.relayId}\n"
}

output "relay" {
  value = bicep_deployment.relay.outputs.relayId
}
