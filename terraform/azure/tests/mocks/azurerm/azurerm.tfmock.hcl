# Ids and principals as the real provider gives them: it checks the form even of mocked resources.

mock_resource "azurerm_storage_account" {
  defaults = {
    id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/archive/providers/Microsoft.Storage/storageAccounts/mockedaccount"
  }
}

mock_resource "azurerm_storage_container" {
  defaults = {
    id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/archive/providers/Microsoft.Storage/storageAccounts/mockedaccount/blobServices/default/containers/mocked"
  }
}

mock_resource "azurerm_servicebus_topic" {
  defaults = {
    id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso/topics/orders"
  }
}

mock_resource "azurerm_servicebus_subscription" {
  defaults = {
    id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso/topics/orders/subscriptions/persistor"
  }
}

mock_resource "azurerm_servicebus_queue" {
  defaults = {
    id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso/queues/orders-archive"
  }
}

mock_resource "azurerm_eventhub_consumer_group" {
  defaults = {
    id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.EventHub/namespaces/contoso/eventhubs/clicks/consumerGroups/persistor"
  }
}

mock_resource "azurerm_user_assigned_identity" {
  defaults = {
    id           = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/archive/providers/Microsoft.ManagedIdentity/userAssignedIdentities/contoso-orders-archive"
    client_id    = "11111111-1111-1111-1111-111111111111"
    principal_id = "22222222-2222-2222-2222-222222222222"
    tenant_id    = "33333333-3333-3333-3333-333333333333"
  }
}

mock_resource "azurerm_role_definition" {
  defaults = {
    role_definition_resource_id = "/subscriptions/00000000-0000-0000-0000-000000000000/providers/Microsoft.Authorization/roleDefinitions/44444444-4444-4444-4444-444444444444"
  }
}

mock_resource "azurerm_service_plan" {
  defaults = {
    id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/archive/providers/Microsoft.Web/serverFarms/contoso-orders-archive"
  }
}

mock_resource "azurerm_log_analytics_workspace" {
  defaults = {
    id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/archive/providers/Microsoft.OperationalInsights/workspaces/contoso-orders-archive"
  }
}

mock_resource "azurerm_application_insights" {
  defaults = {
    id                = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/archive/providers/Microsoft.Insights/components/contoso-orders-archive"
    connection_string = "InstrumentationKey=55555555-5555-5555-5555-555555555555;IngestionEndpoint=https://westeurope-5.in.applicationinsights.azure.com/"
  }
}

mock_data "azurerm_servicebus_topic" {
  defaults = {
    max_size_in_megabytes = 1024
  }
}

mock_data "azurerm_servicebus_queue" {
  defaults = {
    lock_duration                        = "PT5M"
    max_delivery_count                   = 2000
    max_size_in_megabytes                = 2048
    requires_session                     = false
    dead_lettering_on_message_expiration = true
  }
}

mock_resource "azurerm_resource_group" {
  defaults = {
    id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/archive"
  }
}

mock_resource "azurerm_servicebus_namespace" {
  defaults = {
    id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso"
  }
}

mock_data "azurerm_client_config" {
  defaults = {
    object_id = "77777777-7777-7777-7777-777777777777"
  }
}
