# Two deployment stacks of Azure: a network in a resource group of its own, and an app in it that is told where. Needs `az`,
# logged in. The templates are ARM JSON; a `.bicep` file in their place works where the Bicep compiler is installed.

stack "azure" {
  description = "a network and an app; outputs flow from one to the other"
}

variable "location" {
  type    = string
  default = "westeurope"
}

variable "prefix" {
  type    = string
  default = "windlass-example"
}

variable "sku" {
  type    = string
  default = "Standard"
}

variable "api_key" {
  type      = string
  sensitive = true
  default   = "not-a-real-key"
}

resource "bicep_deployment" "network" {
  name                  = "${var.prefix}-network"
  template_file         = "network.json"
  resource_group        = "${var.prefix}-rg"
  create_resource_group = true
  location              = var.location
  parameters = {
    prefix = var.prefix
    cidr   = "10.1.0.0/16"
  }
}

resource "bicep_deployment" "app" {
  name           = "${var.prefix}-app"
  template_file  = "app.json"
  resource_group = bicep_deployment.network.resource_group
  parameters = {
    name   = "${var.prefix}-app"
    subnet = bicep_deployment.network.outputs.networkId
    sku    = var.sku
    apiKey = var.api_key
  }
}

output "network_id" {
  value = bicep_deployment.network.outputs.networkId
}

output "app_id" {
  value = bicep_deployment.app.outputs.appId
}
