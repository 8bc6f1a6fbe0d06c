# The module with nothing but what it must be given, and each default that a deployment relies on.

mock_provider "azurerm" {
  source          = "./tests/mocks/azurerm"
  override_during = plan
}

mock_provider "azapi" {
  source          = "./tests/mocks/azapi"
  override_during = plan
}

variables {
  name              = "contoso-orders-archive"
  resource_group_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/archive"
  location          = "westeurope"
  package           = { url = "https://example.com/releases/v1.0.0/persistor-azure-function.zip" }
  entity = {
    topic = {
      namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso"
      name         = "orders"
    }
  }
}

run "defaults" {
  command = plan

  assert {
    condition     = azurerm_servicebus_subscription.archive[0].name == "persistor" && azurerm_servicebus_subscription.archive[0].topic_id == "${var.entity.topic.namespace_id}/topics/orders"
    error_message = "the topic must get a subscription of its own"
  }

  assert {
    condition     = azurerm_servicebus_subscription.archive[0].lock_duration == "PT5M"
    error_message = "the lock must be the longest there is"
  }

  assert {
    condition     = azurerm_servicebus_subscription.archive[0].max_delivery_count == 2000
    error_message = "as many deliveries as Service Bus takes"
  }

  assert {
    condition     = azurerm_servicebus_subscription.archive[0].dead_lettering_on_message_expiration
    error_message = "what expires must go to the dead letters"
  }

  assert {
    condition     = azurerm_servicebus_subscription.archive[0].dead_lettering_on_filter_evaluation_error
    error_message = "what a filter cannot take must go to the dead letters"
  }

  assert {
    condition     = !azurerm_servicebus_subscription.archive[0].requires_session
    error_message = "no sessions unless asked for"
  }

  assert {
    condition     = azurerm_servicebus_subscription.archive[0].forward_to == null && length(azurerm_servicebus_queue.behind) == 0
    error_message = "no queue behind unless asked for"
  }

  assert {
    condition     = azurerm_servicebus_subscription.archive[0].default_message_ttl == null && azurerm_servicebus_subscription.archive[0].auto_delete_on_idle == null
    error_message = "the archive must not expire messages, nor its subscription"
  }

  assert {
    condition     = length(azurerm_servicebus_topic.new) == 0 && length(azurerm_eventhub_consumer_group.archive) == 0 && length(data.azurerm_servicebus_queue.own) == 0
    error_message = "an existing topic is only referred to"
  }

  assert {
    condition     = length(regexall("resource \"azurerm_servicebus_subscription_rule\"", join("\n", [for name in fileset(path.module, "*.tf") : file("${path.module}/${name}")]))) == 0
    error_message = "no rule may stand between the topic and the archive"
  }
}

run "settings" {
  command = plan

  assert {
    condition     = local.app_settings.PERSISTOR_ARCHIVE == "az://${azurerm_storage_account.archive[0].name}/archive"
    error_message = "the app must write to the archive that is made"
  }

  assert {
    condition     = local.app_settings.PERSISTOR_DEADLINE == "240s" && local.app_settings.PERSISTOR_WRITE_TIMEOUT == "8s"
    error_message = "a message is tried for four minutes, a write for eight seconds"
  }

  assert {
    condition     = local.app_settings.PERSISTOR_MEMORY == "512MiB" && local.app_settings.PERSISTOR_MAX_BODY == "144MiB"
    error_message = "limits of an instance of 2,048 MB"
  }

  assert {
    condition     = local.app_settings.PERSISTOR_RECORD == "auto" && local.app_settings.PERSISTOR_LOG == "info"
    error_message = "defaults of the program"
  }

  assert {
    condition     = !contains(keys(local.app_settings), "PERSISTOR_STREAM") && !contains(keys(local.app_settings), "PERSISTOR_KEY_TEMPLATE")
    error_message = "what nobody asked for is the program's own default"
  }

  assert {
    condition     = local.app_settings.ServiceBusTopicName == "orders" && local.app_settings.ServiceBusSubscriptionName == "persistor"
    error_message = "the function must be told its entity"
  }

  assert {
    condition     = local.app_settings.ServiceBusConnection__fullyQualifiedNamespace == "contoso.servicebus.windows.net"
    error_message = "the namespace by its host name"
  }

  assert {
    condition     = local.app_settings.ServiceBusConnection__credential == "managedidentity" && local.app_settings.ServiceBusConnection__clientId == azurerm_user_assigned_identity.app.client_id
    error_message = "the broker by the app's identity"
  }

  assert {
    condition     = local.app_settings.AZURE_CLIENT_ID == azurerm_user_assigned_identity.app.client_id
    error_message = "the archive by the app's identity"
  }

  assert {
    condition     = local.app_settings.AzureWebJobsStorage__accountName == azurerm_storage_account.host.name && local.app_settings.AzureWebJobsStorage__credential == "managedidentity" && local.app_settings.AzureWebJobsStorage__clientId == azurerm_user_assigned_identity.app.client_id
    error_message = "the host's storage by the app's identity"
  }

  assert {
    condition     = !contains(keys(local.app_settings), "AzureWebJobsStorage")
    error_message = "a connection string, empty or not, comes before the identity"
  }

  assert {
    condition     = alltrue([for name in ["FUNCTIONS_WORKER_RUNTIME", "FUNCTIONS_EXTENSION_VERSION", "WEBSITE_RUN_FROM_PACKAGE"] : !contains(keys(local.app_settings), name)])
    error_message = "Flex Consumption does not take these"
  }

  assert {
    condition     = local.app_settings.AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentCalls == "16"
    error_message = "sixteen messages at a time"
  }

  assert {
    condition     = !contains(keys(local.app_settings), "AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentSessions")
    error_message = "nothing of sessions without them"
  }

  assert {
    condition     = local.function == "ServiceBusTopic" && local.stream == "contoso.orders.persistor"
    error_message = "the function and the stream of a topic"
  }

  assert {
    condition     = [for name in keys(local.app_settings) : name if startswith(name, "AzureWebJobs.")] == ["AzureWebJobs.EventGrid.Disabled", "AzureWebJobs.EventHubs.Disabled", "AzureWebJobs.ServiceBusQueue.Disabled", "AzureWebJobs.ServiceBusQueueSessions.Disabled", "AzureWebJobs.ServiceBusTopicSessions.Disabled"]
    error_message = "all functions but one must be switched off"
  }

  assert {
    condition     = { for setting in azapi_resource.app.body.properties.siteConfig.appSettings : setting.name => setting.value } == local.app_settings
    error_message = "the app must get exactly these settings"
  }

  assert {
    condition     = output.app_settings == local.app_settings
    error_message = "the settings must be told"
  }

  assert {
    condition     = output.outage_seconds == 480000
    error_message = "2000 deliveries of 240 seconds"
  }
}

run "app" {
  command = plan

  assert {
    condition     = azurerm_service_plan.this.sku_name == "FC1" && azurerm_service_plan.this.os_type == "Linux"
    error_message = "Flex Consumption"
  }

  assert {
    condition     = azapi_resource.app.body.properties.functionAppConfig.runtime == { name = "custom", version = "1.0" }
    error_message = "a custom handler"
  }

  assert {
    condition     = azapi_resource.app.body.properties.functionAppConfig.scaleAndConcurrency == { instanceMemoryMB = 2048, maximumInstanceCount = 40 }
    error_message = "instances of 2,048 MB, forty at most"
  }

  assert {
    condition     = azapi_resource.app.body.properties.functionAppConfig.deployment.storage.value == "https://${azurerm_storage_account.host.name}.blob.core.windows.net/package"
    error_message = "the package lies in the host's account, not in the archive's"
  }

  assert {
    condition     = azapi_resource.app.body.properties.functionAppConfig.deployment.storage.authentication == { type = "UserAssignedIdentity", userAssignedIdentityResourceId = azurerm_user_assigned_identity.app.id }
    error_message = "the package by the app's identity"
  }

  assert {
    condition     = azapi_resource.app.body.properties.httpsOnly && azapi_resource.app.body.properties.siteConfig.minTlsVersion == "1.2" && azapi_resource.app.body.properties.siteConfig.ftpsState == "Disabled"
    error_message = "nothing unencrypted"
  }

  assert {
    condition     = azapi_resource.app.identity[0].type == "UserAssigned" && azapi_resource.app.identity[0].identity_ids == tolist([azurerm_user_assigned_identity.app.id])
    error_message = "one identity"
  }

  assert {
    condition     = toset(keys(azapi_update_resource.no_passwords)) == toset(["scm", "ftp"]) && alltrue([for one in azapi_update_resource.no_passwords : one.body.properties.allow == false])
    error_message = "no passwords for deployments"
  }

  assert {
    condition     = !contains(keys(azapi_resource.app.body.properties), "virtualNetworkSubnetId")
    error_message = "no network unless asked for"
  }

  assert {
    condition     = azurerm_storage_account.host.shared_access_key_enabled == false && azurerm_storage_account.host.allow_nested_items_to_be_public == false && azurerm_storage_account.host.local_user_enabled == false && azurerm_storage_account.host.min_tls_version == "TLS1_2" && azurerm_storage_account.host.cross_tenant_replication_enabled == false
    error_message = "the host's account has no keys and nothing public"
  }

  assert {
    condition     = azurerm_storage_container.package.container_access_type == "private"
    error_message = "the package is nobody else's"
  }

  assert {
    condition     = length(azurerm_storage_account.host.name) <= 24 && length(azurerm_storage_account.archive[0].name) <= 24 && azurerm_storage_account.host.name != azurerm_storage_account.archive[0].name
    error_message = "two accounts with names that Azure takes"
  }
}

run "package_by_address" {
  command = plan

  assert {
    condition     = azapi_resource_action.package[0].method == "PUT" && azapi_resource_action.package[0].action == "extensions/onedeploy" && azapi_resource_action.package[0].resource_id == azapi_resource.app.id
    error_message = "deployed within apply"
  }

  assert {
    condition     = azapi_resource_action.package[0].body.properties == { packageUri = var.package.url, remoteBuild = false }
    error_message = "the package as it is, without a build"
  }

  assert {
    condition     = length(azapi_resource_action.package[0].retry.error_message_regex) > 0
    error_message = "roles take minutes"
  }

  assert {
    condition     = length(terraform_data.package) == 0
    error_message = "one way only"
  }
}

run "package_by_path" {
  command = plan

  variables {
    package = { path = "./tests/defaults.tftest.hcl" }
  }

  assert {
    condition     = length(azapi_resource_action.package) == 0 && length(terraform_data.package) == 1
    error_message = "one way only"
  }

  assert {
    condition     = terraform_data.package[0].triggers_replace[1] == filesha256("./tests/defaults.tftest.hcl")
    error_message = "other contents must be deployed again"
  }
}

run "logs" {
  command = plan

  assert {
    condition     = azurerm_application_insights.this.daily_data_cap_in_gb == 0.1 && azurerm_log_analytics_workspace.this[0].daily_quota_gb == 0.1
    error_message = "logs must not cost more than what is stored"
  }

  assert {
    condition     = azurerm_application_insights.this.local_authentication_enabled == false && azurerm_log_analytics_workspace.this[0].local_authentication_enabled == false
    error_message = "nobody else may write into the logs"
  }

  assert {
    condition     = azurerm_application_insights.this.workspace_id == azurerm_log_analytics_workspace.this[0].id
    error_message = "the logs lie in the workspace that is made"
  }

  assert {
    condition     = local.app_settings.APPLICATIONINSIGHTS_CONNECTION_STRING == nonsensitive(azurerm_application_insights.this.connection_string) && local.app_settings.APPLICATIONINSIGHTS_AUTHENTICATION_STRING == "ClientId=${azurerm_user_assigned_identity.app.client_id};Authorization=AAD"
    error_message = "the app must log to it, as itself"
  }

  assert {
    condition     = local.app_settings.AzureFunctionsJobHost__logging__applicationInsights__samplingSettings__isEnabled == "true" && tonumber(local.app_settings.AzureFunctionsJobHost__logging__applicationInsights__samplingSettings__maxTelemetryItemsPerSecond) <= 5
    error_message = "logs must be sampled"
  }
}

run "logs_elsewhere" {
  command = plan

  variables {
    log_analytics_workspace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/shared/providers/Microsoft.OperationalInsights/workspaces/all"
    log_daily_cap_gb           = 0.5
  }

  assert {
    condition     = length(azurerm_log_analytics_workspace.this) == 0 && azurerm_application_insights.this.workspace_id == var.log_analytics_workspace_id
    error_message = "the workspace that is there already"
  }

  assert {
    condition     = azurerm_application_insights.this.daily_data_cap_in_gb == 0.5
    error_message = "capped there too"
  }
}

# An app that starts without a right says so and leaves messages waiting; the roles' ids alone do not make it wait for them.
run "rights_first" {
  command = plan

  assert {
    condition     = length(regexall("depends_on = \\[ azurerm_role_assignment.writer, azurerm_role_assignment.receiver, azurerm_role_assignment.host, azurerm_role_assignment.logs, \\]", replace(split("\n}\n", split("resource \"azapi_resource\" \"app\"", file("${path.module}/app.tf"))[1])[0], "/\\s+/", " "))) == 1
    error_message = "the app must wait for all of its rights"
  }

  assert {
    condition     = strcontains(split("\n}\n", split("resource \"azurerm_role_assignment\" \"receiver\"", file("${path.module}/identities.tf"))[1])[0], "depends_on = [azurerm_eventhub_consumer_group.archive, data.azurerm_servicebus_queue.own]")
    error_message = "an app has no right before what it reads is there and is as it must be"
  }
}

run "null_is_the_default" {
  command = plan

  variables {
    archive_account       = null
    alerts                = null
    record                = null
    max_delivery_count    = null
    write_timeout_seconds = null
    largest_message_mb    = null
    concurrent_calls      = null
    instance_memory_mb    = null
    max_instances         = null
    cloud                 = null
    log_level             = null
    log_daily_cap_gb      = null
    tags                  = null
  }

  assert {
    condition     = azurerm_storage_container.archive[0].name == "archive" && length(azapi_resource_action.archive_lock) == 1 && length(azurerm_monitor_metric_alert.this) == 7 && output.outage_seconds == 480000 && azapi_resource.app.body.properties.functionAppConfig.scaleAndConcurrency == { instanceMemoryMB = 2048, maximumInstanceCount = 40 }
    error_message = "an input that is null is one that was left out"
  }

  assert {
    condition     = length(regexall("nullable += false", file("${path.module}/variables.tf"))) == length(regexall("\nvariable \"", "\n${file("${path.module}/variables.tf")}")) - length(regexall("\n  default += null\n", file("${path.module}/variables.tf")))
    error_message = "null is refused by name where it is no default"
  }
}
