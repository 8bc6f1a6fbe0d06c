# What messages are read from: a subscription, a queue behind it, or a consumer group, of the archive's own. The namespace, and an entity that is there already, are only referred to.
#
# A topic takes all of its subscriptions with it, and a subscription and a queue what nobody has archived yet. So `prevent_destroy` refuses every change that would destroy or replace
# one.

resource "azurerm_servicebus_topic" "new" {
  count = try(local.topic.create, null) == null ? 0 : 1

  name                          = local.topic.name
  namespace_id                  = local.namespace_id
  max_size_in_megabytes         = local.topic.create.max_size_in_megabytes
  max_message_size_in_kilobytes = local.topic.create.max_message_size_in_kilobytes

  lifecycle {
    prevent_destroy = true
  }
}

# For its size, which the alert needs.
data "azurerm_servicebus_topic" "existing" {
  count = local.topic != null && try(local.topic.create, null) == null ? 1 : 0

  name         = local.topic.name
  namespace_id = local.namespace_id
}

# No rule is made, so it has the one that Azure gives it, which lets everything pass.
resource "azurerm_servicebus_subscription" "archive" {
  count = local.topic == null ? 0 : 1

  name     = local.topic.subscription
  topic_id = local.topic_id

  lock_duration                             = local.lock_duration
  max_delivery_count                        = var.max_delivery_count
  requires_session                          = local.topic.sessions
  forward_to                                = one(azurerm_servicebus_queue.behind[*].name)
  dead_lettering_on_message_expiration      = true
  dead_lettering_on_filter_evaluation_error = true

  depends_on = [azurerm_servicebus_topic.new]

  lifecycle {
    prevent_destroy = true
  }
}

resource "azurerm_servicebus_queue" "behind" {
  count = local.queue_behind == null ? 0 : 1

  name         = local.queue_behind.name
  namespace_id = local.namespace_id

  max_size_in_megabytes = local.queue_behind.max_size_in_megabytes
  # A Premium namespace gives a queue 1 MB unless it is told, and what is larger would find no place.
  max_message_size_in_kilobytes        = var.largest_message_mb > 1 ? ceil(var.largest_message_mb * 1024) : null
  lock_duration                        = local.lock_duration
  max_delivery_count                   = var.max_delivery_count
  dead_lettering_on_message_expiration = true

  lifecycle {
    prevent_destroy = true
  }
}

# A queue that is not made here must have been made as the arithmetic needs it; what is wrong is said before anything is made.
data "azurerm_servicebus_queue" "own" {
  count = local.queue == null ? 0 : 1

  name         = local.queue.name
  namespace_id = local.namespace_id

  lifecycle {
    postcondition {
      condition     = self.requires_session == local.queue.sessions
      error_message = "the queue ${self.name} has requires_session = ${self.requires_session}: say sessions = ${self.requires_session} in entity.queue."
    }
    postcondition {
      condition     = self.lock_duration == "PT5M"
      error_message = "the queue ${self.name} has a lock of ${self.lock_duration}, and a message is tried for ${local.deadline_seconds} seconds: az servicebus queue update --name ${self.name} --lock-duration PT5M …"
    }
    postcondition {
      condition     = self.max_delivery_count * local.deadline_seconds >= 4 * 3600
      error_message = "the queue ${self.name} dead-letters after ${self.max_delivery_count} deliveries of ${local.deadline_seconds} seconds each: az servicebus queue update --name ${self.name} --max-delivery-count 2000 …"
    }
    postcondition {
      condition     = self.dead_lettering_on_message_expiration
      error_message = "the queue ${self.name} drops messages that expire: az servicebus queue update --name ${self.name} --enable-dead-lettering-on-message-expiration true …"
    }
  }
}

resource "azurerm_eventhub_consumer_group" "archive" {
  count = local.event_hub == null ? 0 : 1

  name                = local.event_hub.consumer_group
  namespace_name      = local.namespace_name
  eventhub_name       = local.event_hub.name
  resource_group_name = local.namespace_parts[4]
  user_metadata       = "read by ${var.name}, which archives this event hub"
}
