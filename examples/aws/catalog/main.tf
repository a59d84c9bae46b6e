variable "queue_url" {
  type = string
}

variable "role_arn" {
  type = string
}

resource "terraform_data" "entry" {
  input = {
    queue = var.queue_url
    role  = var.role_arn
  }
}

output "summary" {
  value = "${terraform_data.entry.output.role} reads ${terraform_data.entry.output.queue}"
}
