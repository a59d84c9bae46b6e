# A first stack: the local provider only, so nothing needs to be installed.
#
#   windlass -C examples/quickstart plan
#   windlass -C examples/quickstart apply

stack "quickstart" {
  description = "three services configured, bundled and checked on this machine"
}

variable "greeting" {
  type        = string
  default     = "hello"
  description = "what every service says; try --var greeting=ahoy"

  validation {
    condition     = length(var.greeting) > 0
    error_message = "a greeting has at least one letter"
  }
}

variable "services" {
  type        = map(number)
  description = "each service and its port"
  default = {
    api    = 8080
    web    = 8081
    worker = 8082
  }
}

# A value that is stored: its id is made once and stays.
resource "local_data" "release" {
  input = var.greeting
}

# One file for each service.
resource "local_file" "config" {
  for_each = var.services

  path    = "out/${each.key}.conf"
  content = <<-EOT
    service  = ${each.key}
    port     = ${each.value}
    greeting = ${local_data.release.output}
  EOT
}

# A command runs again when one of its triggers changes, and is done only when its health gate is.
resource "local_command" "bundle" {
  create  = ["sh", "-c", "cat out/*.conf > out/bundle.txt"]
  update  = ["sh", "-c", "cat out/*.conf > out/bundle.txt"]
  destroy = ["rm", "-f", "out/bundle.txt"]
  read    = ["test", "-s", "out/bundle.txt"]

  triggers = { for name, file in local_file.config : name => file.sha256 }

  health {
    command  = ["grep", "-q", "greeting = ", "out/bundle.txt"]
    interval = "1s"
    timeout  = "5s"
    attempts = 3
  }
}

output "release" {
  value       = local_data.release.id
  description = "stays the same over applies"
}

output "files" {
  value = { for name, file in local_file.config : name => file.path }
}
