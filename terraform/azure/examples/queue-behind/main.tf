# A topic whose producers must never feel the archive: its subscription forwards to a queue of the archive's own, and a stalled archive fills that.

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

variable "package_url" {
  description = "Address of a release's package, with its version in it."
  type        = string
  default     = "https://example.com/persistor/v0.1.0/persistor-azure-function.zip"
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
  package           = { url = var.package_url }

  # A queue's name says nothing of the topic, so the stream gets its own.
  stream = "orders"

  entity = {
    topic = {
      namespace_id = var.namespace_id
      name         = "orders"
      queue_behind = {
        name                  = "orders-archive"
        max_size_in_megabytes = 5120
      }
    }
  }
}

output "archive_url" {
  description = "For the command line: persistor status -a URL"
  value       = module.orders.archive_url
}
