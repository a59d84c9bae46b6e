# Two CloudFormation stacks and a Terraform root in one graph: queue -> worker -> catalog. Needs `aws` with credentials and
# `terraform` on PATH; the root uses terraform_data only, so no provider is downloaded.

stack "aws" {
  description = "a queue, the role and settings of what reads it, and a root that lists both"
}

variable "prefix" {
  type        = string
  default     = "windlass-example"
  description = "in front of every name, so that two people can try this in one account"
}

variable "retention" {
  type        = number
  default     = 3600
  description = "for how many seconds the queue keeps a message"
}

provider "cloudformation" {
  region = "eu-west-1"
}

resource "cloudformation_stack" "queue" {
  name          = "${var.prefix}-queue"
  template_file = "queue.yaml"
  parameters = {
    Prefix    = var.prefix
    Retention = var.retention
  }
}

# Planned in full once the queue is there: its parameters are not known before. What does not depend on them is shown at once.
resource "cloudformation_stack" "worker" {
  name          = "${var.prefix}-worker"
  template_file = "worker.yaml"
  capabilities  = ["CAPABILITY_IAM"]
  parameters = {
    QueueArn = cloudformation_stack.queue.outputs.QueueArn
    QueueUrl = cloudformation_stack.queue.outputs.QueueUrl
  }
}

resource "terraform_root" "catalog" {
  source = "./catalog"
  variables = {
    queue_url = cloudformation_stack.queue.outputs.QueueUrl
    role_arn  = cloudformation_stack.worker.outputs.RoleArn
  }
}

output "queue_url" {
  value = cloudformation_stack.queue.outputs.QueueUrl
}

output "summary" {
  value = terraform_root.catalog.outputs.summary
}
