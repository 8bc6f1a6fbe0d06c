# The function app: Flex Consumption, whose plan holds one app, with the program as its custom handler.
#
# It is made with azapi and not with azurerm_function_app_flex_consumption, which writes the setting AzureWebJobsStorage as a connection string without a key wherever an identity
# is asked for. The host prefers it over AzureWebJobsStorage__accountName, and its listeners do not start. Emptying the setting is still a connection string, and taking it away
# afterwards leaves a time in which the app runs with it, and a plan that puts it back. Made so, the setting was never there.

locals {
  # By size of the instance; what a message takes is reckoned in deploy/azure-function/README.md.
  memory = {
    512  = { memory = "128MiB", max_body = "16MiB" }
    2048 = { memory = "512MiB", max_body = "144MiB" }
    4096 = { memory = "1GiB", max_body = "144MiB" }
  }[var.instance_memory_mb]

  connection = local.event_hub != null ? "EventHubsConnection" : "ServiceBusConnection"

  app_settings = merge(
    {
      PERSISTOR_ARCHIVE       = local.archive_url
      PERSISTOR_MEMORY        = local.memory.memory
      PERSISTOR_MAX_BODY      = local.memory.max_body
      PERSISTOR_WRITE_TIMEOUT = "${var.write_timeout_seconds}s"
      PERSISTOR_RECORD        = var.record
      PERSISTOR_LOG           = var.log_level
      AZURE_CLIENT_ID         = azurerm_user_assigned_identity.app.client_id

      # The account's name, and not the services' addresses, with which the host may fail at its start.
      AzureWebJobsStorage__accountName = azurerm_storage_account.host.name
      AzureWebJobsStorage__credential  = "managedidentity"
      AzureWebJobsStorage__clientId    = azurerm_user_assigned_identity.app.client_id

      "${local.connection}__fullyQualifiedNamespace" = "${local.namespace_name}.${local.hosts.broker}"
      "${local.connection}__credential"              = "managedidentity"
      "${local.connection}__clientId"                = azurerm_user_assigned_identity.app.client_id

      APPLICATIONINSIGHTS_CONNECTION_STRING     = nonsensitive(azurerm_application_insights.this.connection_string)
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING = "ClientId=${azurerm_user_assigned_identity.app.client_id};Authorization=AAD"

      AzureFunctionsJobHost__logging__applicationInsights__samplingSettings__isEnabled                  = "true"
      AzureFunctionsJobHost__logging__applicationInsights__samplingSettings__maxTelemetryItemsPerSecond = "5"
    },

    { for name in local.functions : "AzureWebJobs.${name}.Disabled" => "1" if name != local.function },

    local.event_hub != null ? {
      EventHubName          = local.event_hub.name
      EventHubConsumerGroup = local.event_hub.consumer_group
      } : {
      PERSISTOR_DEADLINE                                                = "${local.deadline_seconds}s"
      AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentCalls = tostring(var.concurrent_calls)
    },
    local.event_hub != null || local.read_queue != null ? {} : {
      ServiceBusTopicName        = local.topic.name
      ServiceBusSubscriptionName = local.topic.subscription
    },
    local.read_queue == null ? {} : {
      ServiceBusQueueName = local.read_queue
    },
    # A session's lock is renewed from the session's beginning, and busy sessions are long.
    local.sessions ? {
      AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentSessions      = tostring(var.concurrent_calls)
      AzureFunctionsJobHost__extensions__serviceBus__maxAutoLockRenewalDuration = "01:00:00"
    } : {},

    var.stream == null ? {} : { PERSISTOR_STREAM = var.stream },
    var.key_template == null ? {} : { PERSISTOR_KEY_TEMPLATE = var.key_template },
    var.cloud == "public" ? {} : {
      AZURE_STORAGE_SERVICE_ENDPOINT      = "https://${element(local.archive_parts, length(local.archive_parts) - 1)}.${local.hosts.blob}"
      AzureWebJobsStorage__blobServiceUri = "https://${local.host_account_name}.${local.hosts.blob}"
    },
  )

  host_account_name = "${substr(replace(var.name, "-", ""), 0, 13)}host${substr(sha256("host of ${var.resource_group_id}/${var.name}"), 0, 7)}"
}

# The host's own: its locks, the checkpoints of Event Hubs, and the package. It can be destroyed; checkpoints that are lost make an event hub's events come again, and they are
# found to be stored.
resource "azurerm_storage_account" "host" {
  #checkov:skip=CKV_AZURE_43:The name is made of letters and digits, at most 24, which the check cannot reckon; a test does
  #checkov:skip=CKV_AZURE_206:Nothing here that could not be made again
  #checkov:skip=CKV_AZURE_59:The platform deploys from outside any network; without keys and anonymous access only Entra ID lets anybody in
  #checkov:skip=CKV2_AZURE_33:A private endpoint needs a network and its names, which are not this module's
  #checkov:skip=CKV2_AZURE_1:There are no messages in this account
  #checkov:skip=CKV2_AZURE_38:Nothing here that could not be made again
  #checkov:skip=CKV_AZURE_33:There are no queues in this account
  name                = local.host_account_name
  resource_group_name = local.resource_group_name
  location            = var.location
  tags                = var.tags

  account_tier             = "Standard"
  account_kind             = "StorageV2"
  account_replication_type = "LRS"

  shared_access_key_enabled        = false
  default_to_oauth_authentication  = true
  allow_nested_items_to_be_public  = false
  local_user_enabled               = false
  https_traffic_only_enabled       = true
  min_tls_version                  = "TLS1_2"
  cross_tenant_replication_enabled = false
}

resource "azurerm_storage_container" "package" {
  #checkov:skip=CKV2_AZURE_21:A log line for every start would say nothing
  name                  = "package"
  storage_account_id    = azurerm_storage_account.host.id
  container_access_type = "private"
}

resource "azurerm_service_plan" "this" {
  #checkov:skip=CKV_AZURE_212:Flex Consumption counts its instances itself
  #checkov:skip=CKV_AZURE_225:An instance that is lost with its zone is replaced, and what it had in hand is delivered again
  name                = var.name
  resource_group_name = local.resource_group_name
  location            = var.location
  tags                = var.tags
  os_type             = "Linux"
  sku_name            = "FC1"
}

# checkov knows nothing of azapi and so sees nothing of the app: tests/defaults.tftest.hcl has what must be closed here.
resource "azapi_resource" "app" {
  type      = "Microsoft.Web/sites@2024-04-01"
  name      = var.name
  parent_id = var.resource_group_id
  location  = var.location
  tags      = var.tags

  # Azure answers with other capitals than it was asked in, and the schema that azapi brings along is not always that of the service.
  ignore_casing             = true
  schema_validation_enabled = false
  response_export_values    = ["properties.defaultHostName"]

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.app.id]
  }

  body = {
    kind = "functionapp,linux"
    properties = merge({
      serverFarmId        = azurerm_service_plan.this.id
      httpsOnly           = true
      publicNetworkAccess = "Enabled"

      functionAppConfig = {
        deployment = {
          storage = {
            type  = "blobContainer"
            value = "https://${local.host_account_name}.${local.hosts.blob}/${azurerm_storage_container.package.name}"
            authentication = {
              type                           = "UserAssignedIdentity"
              userAssignedIdentityResourceId = azurerm_user_assigned_identity.app.id
            }
          }
        }
        scaleAndConcurrency = {
          instanceMemoryMB     = var.instance_memory_mb
          maximumInstanceCount = var.max_instances
        }
        runtime = {
          name    = "custom"
          version = "1.0"
        }
      }

      siteConfig = {
        minTlsVersion    = "1.2"
        scmMinTlsVersion = "1.2"
        ftpsState        = "Disabled"
        appSettings      = [for name in sort(keys(local.app_settings)) : { name = name, value = local.app_settings[name] }]
      }
    }, var.network == null ? {} : { virtualNetworkSubnetId = var.network.subnet_id })
  }

  # Without a right the app says so in its log, and messages wait; with all of them there first, its first start is the right one.
  depends_on = [
    azurerm_role_assignment.writer,
    azurerm_role_assignment.receiver,
    azurerm_role_assignment.host,
    azurerm_role_assignment.logs,
  ]

  lifecycle {
    # The portal links the app to its logs with this tag.
    ignore_changes = [tags["hidden-link: /app-insights-resource-id"]]
  }
}

# Passwords for deployments: Entra ID is enough.
resource "azapi_update_resource" "no_passwords" {
  for_each = toset(["scm", "ftp"])

  type      = "Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01"
  name      = each.key
  parent_id = azapi_resource.app.id
  body      = { properties = { allow = false } }
}
