# The least that there is: an existing topic, and a package built here.

terraform {
  required_version = ">= 1.9"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 5.2"
    }
    azapi = {
      source  = "Azure/azapi"
      version = "~> 2.12"
    }
  }
}

variable "subscription_id" {
  description = "The Azure subscription."
  type        = string
}

variable "namespace_id" {
  description = "Id of the topic's namespace: az servicebus namespace show --resource-group GROUP --name NAME --query id --output tsv"
  type        = string
}

variable "package" {
  description = "Path of the package, as deploy/build makes it."
  type        = string
  default     = "persistor-azure-function.zip"
}

provider "azurerm" {
  subscription_id     = var.subscription_id
  storage_use_azuread = true

  resource_providers_to_register = ["Microsoft.Insights", "Microsoft.ManagedIdentity", "Microsoft.OperationalInsights", "Microsoft.ServiceBus", "Microsoft.Storage", "Microsoft.Web"]
  features {}
}

provider "azapi" {
  subscription_id = var.subscription_id
}

resource "azurerm_resource_group" "archive" {
  name     = "archive"
  location = "westeurope"
}

module "orders" {
  source = "../.."

  name              = "contoso-orders-archive"
  resource_group_id = azurerm_resource_group.archive.id
  location          = azurerm_resource_group.archive.location
  package           = { path = var.package }

  entity = {
    topic = {
      namespace_id = var.namespace_id
      name         = "orders"
    }
  }
}

output "archive_url" {
  description = "For the command line: persistor status -a URL"
  value       = module.orders.archive_url
}
