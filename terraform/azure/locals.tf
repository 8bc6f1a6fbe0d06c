# What follows from the inputs alone, so that it is known before anything is made.

locals {
  resource_group_name = split("/", var.resource_group_id)[4]

  topic        = var.entity.topic
  queue_behind = try(var.entity.topic.queue_behind, null)
  queue        = var.entity.queue
  event_hub    = var.entity.event_hub

  namespace_id    = one([for one in [local.topic, local.queue, local.event_hub] : one.namespace_id if one != null])
  namespace_parts = split("/", local.namespace_id)
  namespace_name  = element(local.namespace_parts, length(local.namespace_parts) - 1)
  topic_id        = local.topic == null ? null : "${local.namespace_id}/topics/${local.topic.name}"
  sessions        = try(local.topic.sessions, false) || try(local.queue.sessions, false)

  # The queue that is read, behind the topic or by itself.
  read_queue = local.queue_behind != null ? local.queue_behind.name : try(local.queue.name, null)

  # As the program names a stream that nobody named.
  entity_stream = join(".", compact([
    local.namespace_name,
    local.event_hub != null ? local.event_hub.name : local.read_queue,
    local.read_queue == null ? try(local.topic.name, null) : null,
    local.read_queue == null ? try(local.topic.subscription, null) : null,
  ]))
  stream = coalesce(var.stream, local.entity_stream)

  # The functions of the package; all but one are switched off.
  functions = ["ServiceBusTopic", "ServiceBusTopicSessions", "ServiceBusQueue", "ServiceBusQueueSessions", "EventHubs", "EventGrid"]
  function = (
    local.event_hub != null ? "EventHubs" :
    "ServiceBus${local.read_queue != null ? "Queue" : "Topic"}${local.sessions ? "Sessions" : ""}"
  )

  deadline_seconds = coalesce(var.deadline_seconds, 240)

  # Longer than any deadline, and the longest there is.
  lock_duration = "PT5M"

  hosts = {
    public       = { blob = "blob.core.windows.net", broker = "servicebus.windows.net" }
    usgovernment = { blob = "blob.core.usgovcloudapi.net", broker = "servicebus.usgovcloudapi.net" }
    china        = { blob = "blob.core.chinacloudapi.cn", broker = "servicebus.chinacloudapi.cn" }
  }[var.cloud]
}
