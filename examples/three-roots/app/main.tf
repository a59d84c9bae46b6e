variable "endpoint" {
  type = string
}

variable "image_tag" {
  type = string
}

resource "terraform_data" "release" {
  input = "${var.endpoint} runs ${var.image_tag}"
}

output "url" {
  value = "${var.endpoint}/app?tag=${var.image_tag}"
}
