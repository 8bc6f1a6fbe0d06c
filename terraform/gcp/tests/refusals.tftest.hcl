# Relations between limits, and what is refused. Each refusal's text shows a right value; here it is that it is refused, and what is right beside it.

mock_provider "google" {
  source = "./tests/mocks"
}

mock_provider "google-beta" {
  source = "./tests/mocks"
}

variables {
  project = "my-project"
  region  = "europe-west1"
  streams = { orders = { topic = "projects/shop/topics/orders" } }
  package = { path = "tests/fixtures/package.tar.gz" }
}

# Time.

run "times_in_order" {
  command = plan

  assert {
    condition     = tonumber(trimsuffix(local.environment.PERSISTOR_WRITE_TIMEOUT, "s")) < tonumber(trimsuffix(google_cloud_run_v2_service.this.template[0].timeout, "s")) && tonumber(trimsuffix(google_cloud_run_v2_service.this.template[0].timeout, "s")) < google_pubsub_subscription.this["orders"].ack_deadline_seconds
    error_message = "A write is given up before its request, and a request before its acknowledgement."
  }
  assert {
    condition     = tonumber(trimsuffix(local.environment.PERSISTOR_DRAIN_TIMEOUT, "s")) < 10
    error_message = "The program ends before Cloud Run kills it, 10 seconds after SIGTERM."
  }
}

run "other_times_in_order" {
  command = plan

  variables {
    write_timeout_seconds   = 30
    request_timeout_seconds = 35
    ack_deadline_seconds    = 36
  }

  assert {
    condition     = local.environment.PERSISTOR_WRITE_TIMEOUT == "30s" && google_cloud_run_v2_service.this.template[0].timeout == "35s" && google_pubsub_subscription.this["orders"].ack_deadline_seconds == 36
    error_message = "The inputs reach program, service and subscription."
  }
}

run "write_timeout_of_a_request" {
  command = plan

  variables {
    write_timeout_seconds = 60
  }

  expect_failures = [var.request_timeout_seconds]
}

run "request_timeout_below_write_timeout" {
  command = plan

  variables {
    write_timeout_seconds   = 30
    request_timeout_seconds = 34
  }

  expect_failures = [var.request_timeout_seconds]
}

run "request_timeout_of_a_deadline" {
  command = plan

  variables {
    request_timeout_seconds = 600
  }

  expect_failures = [var.ack_deadline_seconds]
}

run "deadline_below_request_timeout" {
  command = plan

  variables {
    ack_deadline_seconds = 60
  }

  expect_failures = [var.ack_deadline_seconds]
}

run "deadline_too_long" {
  command = plan

  variables {
    ack_deadline_seconds = 601
  }

  expect_failures = [var.ack_deadline_seconds]
}

run "write_timeout_of_nothing" {
  command = plan

  variables {
    write_timeout_seconds = 0
  }

  expect_failures = [var.write_timeout_seconds]
}

# Memory.

run "bodies_fit" {
  command = plan

  assert {
    condition     = google_cloud_run_v2_service.this.template[0].max_instance_request_concurrency * ((var.largest_message * 4 / 3 + 65536) * 7 / 4 + 262144) <= tonumber(trimsuffix(local.environment.PERSISTOR_MEMORY, "MiB")) * 1048576
    error_message = "As many of the largest messages as an instance is given fit into the memory for them."
  }
  assert {
    condition     = tonumber(trimsuffix(local.environment.PERSISTOR_MEMORY, "MiB")) + 64 <= tonumber(trimsuffix(google_cloud_run_v2_service.this.template[0].containers[0].resources[0].limits["memory"], "Mi"))
    error_message = "Beside it there is memory for the program."
  }
  assert {
    condition     = 7 / 4 * tonumber(trimsuffix(local.environment.PERSISTOR_MAX_BODY, "MiB")) <= tonumber(trimsuffix(local.environment.PERSISTOR_MEMORY, "MiB"))
    error_message = "The largest body that Cloud Run passes on fits."
  }
}

run "small_messages" {
  command = plan

  variables {
    concurrency     = 200
    largest_message = 100000
  }

  assert {
    condition     = google_cloud_run_v2_service.this.template[0].max_instance_request_concurrency == 200
    error_message = "Of small messages many fit."
  }
}

run "more_memory" {
  command = plan

  variables {
    concurrency = 80
    memory_mib  = 2048
  }

  assert {
    condition     = google_cloud_run_v2_service.this.template[0].containers[0].resources[0].limits["memory"] == "2048Mi" && local.environment.PERSISTOR_MEMORY == "1920MiB"
    error_message = "All but 128 MiB are for messages."
  }
}

run "memory_for_fewer" {
  command = plan

  variables {
    concurrency = 80
  }

  expect_failures = [var.memory_mib]
}

run "memory_below_the_least" {
  command = plan

  variables {
    memory_mib  = 256
    concurrency = 1
  }

  expect_failures = [var.memory_mib]
}

# What is refused for 80 messages names 1937 MiB, and that is the least.
run "memory_that_the_refusal_names" {
  command = plan

  variables {
    concurrency = 80
    memory_mib  = 1937
  }

  assert {
    condition     = google_cloud_run_v2_service.this.template[0].max_instance_request_concurrency == 80
    error_message = "The memory that the text of the refusal shows is right."
  }
}

run "memory_just_too_small" {
  command = plan

  variables {
    concurrency = 80
    memory_mib  = 1936
  }

  expect_failures = [var.memory_mib]
}

run "concurrency_that_the_refusal_names" {
  command = plan

  variables {
    concurrency = 16
  }

  assert {
    condition     = google_cloud_run_v2_service.this.template[0].max_instance_request_concurrency == 16
    error_message = "The concurrency that the text of the refusal shows is right."
  }
}

run "concurrency_just_too_high" {
  command = plan

  variables {
    concurrency = 17
  }

  expect_failures = [var.memory_mib]
}

run "largest_message_above_the_brokers" {
  command = plan

  variables {
    largest_message = 10000001
  }

  expect_failures = [var.largest_message]
}

run "half_a_message" {
  command = plan

  variables {
    concurrency = 1.5
  }

  expect_failures = [var.concurrency]
}

run "half_a_cpu" {
  command = plan

  variables {
    cpu = 0.5
  }

  expect_failures = [var.cpu]
}

run "cpus_without_memory" {
  command = plan

  variables {
    cpu = 4
  }

  expect_failures = [var.cpu]
}

run "cpus_with_memory" {
  command = plan

  variables {
    cpu        = 4
    memory_mib = 2048
  }

  assert {
    condition     = google_cloud_run_v2_service.this.template[0].containers[0].resources[0].limits["cpu"] == "4"
    error_message = "With their memory there are more CPUs."
  }
}

run "no_instance" {
  command = plan

  variables {
    max_instances = 0
  }

  expect_failures = [var.max_instances]
}

# What would lose messages without a word.

run "filter" {
  command = plan

  variables {
    streams = { orders = { topic = "projects/shop/topics/orders", filter = "attributes.a = \"b\"" } }
  }

  expect_failures = [var.streams]
}

run "transforms" {
  command = plan

  variables {
    streams = { orders = { topic = "projects/shop/topics/orders", message_transforms = [{ javascript_udf = { function_name = "f", code = "function f(m) { return m }" } }] } }
  }

  expect_failures = [var.streams]
}

run "expiry" {
  command = plan

  variables {
    streams = { orders = { topic = "projects/shop/topics/orders", expiration_ttl = "2678400s" } }
  }

  expect_failures = [var.streams]
}

run "long_filter" {
  command = plan

  variables {
    streams = { orders = { topic = "projects/shop/topics/orders", filter = join(" OR ", [for n in range(30) : "attributes.tenant = \"${n}\""]), filter_drops_messages = true } }
  }

  expect_failures = [var.streams]
}

run "half_a_day_of_retention" {
  command = plan

  variables {
    retention_days = 365.5
  }

  expect_failures = [var.retention_days]
}

run "retention_of_a_backlog" {
  command = plan

  variables {
    retention_days = 31
  }

  expect_failures = [var.retention_days]
}

run "retention_below_undeletable" {
  command = plan

  variables {
    retention_days   = 60
    undeletable_days = 90
  }

  expect_failures = [var.retention_days]
}

run "retention_of_another_bucket" {
  command = plan

  variables {
    retention_days = 365
    bucket         = "shared-archive"
  }

  expect_failures = [var.retention_days]
}

run "undeletable_in_another_bucket" {
  command = plan

  variables {
    undeletable_days = 90
    bucket           = "shared-archive"
  }

  expect_failures = [var.undeletable_days]
}

run "half_an_undeletable_day" {
  command = plan

  variables {
    undeletable_days = 0.5
  }

  expect_failures = [var.undeletable_days]
}

run "lock_of_nothing" {
  command = plan

  variables {
    undeletable_for_good = "nobody can ever shorten or remove this policy"
  }

  expect_failures = [var.undeletable_for_good]
}

run "lock_with_one_word" {
  command = plan

  variables {
    undeletable_days     = 90
    undeletable_for_good = "true"
  }

  expect_failures = [var.undeletable_for_good]
}

run "retention_without_soft_delete" {
  command = plan

  variables {
    retention_days   = 365
    soft_delete_days = 0
  }

  expect_failures = [var.retention_days]
}

run "soft_delete_of_a_day" {
  command = plan

  variables {
    soft_delete_days = 1
  }

  expect_failures = [var.soft_delete_days]
}

run "key_for_nothing" {
  command = plan

  variables {
    bucket  = "shared-archive"
    kms_key = "projects/keys/locations/europe-west1/keyRings/ring/cryptoKeys/archive"
    package = { image = "europe-west1-docker.pkg.dev/p/r/i" }
  }

  expect_failures = [var.kms_key]
}

run "key_in_short" {
  command = plan

  variables {
    kms_key = "archive"
  }

  expect_failures = [var.kms_key]
}

run "deletion_policy" {
  command = plan

  variables {
    archive_deletion_policy = "FORCE"
  }

  expect_failures = [var.archive_deletion_policy]
}

# What would cost twice, or be found in the wrong place.

run "topic_twice" {
  command = plan

  variables {
    streams = {
      orders = { topic = "projects/shop/topics/orders" }
      again  = { topic = "projects/shop/topics/orders" }
    }
  }

  expect_failures = [var.streams]
}

run "new_topic_twice" {
  command = plan

  variables {
    streams = {
      orders = { topic = "orders", create_topic = true }
      again  = { topic = "projects/my-project/topics/orders" }
    }
  }

  expect_failures = [var.streams]
}

run "topic_twice_with_one_filter" {
  command = plan

  variables {
    streams = {
      orders = { topic = "projects/shop/topics/orders" }
      north  = { topic = "projects/shop/topics/orders", filter = "attributes.tenant = \"north\"", filter_drops_messages = true }
    }
  }

  expect_failures = [var.streams]
}

run "name_of_dead_letters" {
  command = plan

  variables {
    streams = {
      orders              = { topic = "projects/shop/topics/orders", dead_letters = true }
      orders-dead-letters = { topic = "projects/shop/topics/other" }
    }
  }

  expect_failures = [var.streams]
}

run "no_streams" {
  command = plan

  variables {
    streams = {}
  }

  expect_failures = [var.streams]
}

run "stream_underscore" {
  command = plan

  variables {
    streams = { "_orders" = { topic = "projects/shop/topics/orders" } }
  }

  expect_failures = [var.streams]
}

run "stream_dot" {
  command = plan

  variables {
    streams = { ".orders" = { topic = "projects/shop/topics/orders" } }
  }

  expect_failures = [var.streams]
}

run "stream_last_dot" {
  command = plan

  variables {
    streams = { "orders." = { topic = "projects/shop/topics/orders" } }
  }

  expect_failures = [var.streams]
}

run "stream_slash" {
  command = plan

  variables {
    streams = { "a/b" = { topic = "projects/shop/topics/orders" } }
  }

  expect_failures = [var.streams]
}

run "stream_health" {
  command = plan

  variables {
    streams = { "health" = { topic = "projects/shop/topics/orders" } }
  }

  expect_failures = [var.streams]
}

run "stream_tilde" {
  command = plan

  variables {
    streams = { "a~b" = { topic = "projects/shop/topics/orders" } }
  }

  expect_failures = [var.streams]
}

run "stream_too_long" {
  command = plan

  variables {
    streams = { (join("", [for n in range(121) : "a"])) = { topic = "projects/shop/topics/orders" } }
  }

  expect_failures = [var.streams]
}

run "stream_just_short_enough" {
  command = plan

  variables {
    streams = { (join("", [for n in range(120) : "a"])) = { topic = "projects/shop/topics/orders" } }
  }

  assert {
    condition     = length(google_pubsub_subscription.this) == 1
    error_message = "A stream has a name of up to 120 characters."
  }
}

run "too_many_names" {
  command = plan

  variables {
    streams = { for n in range(100) : "a-stream-with-a-name-${n}" => { topic = "projects/shop/topics/t${n}" } }
  }

  expect_failures = [var.streams]
}

run "existing_topic_in_short" {
  command = plan

  variables {
    streams = { orders = { topic = "orders" } }
  }

  expect_failures = [var.streams]
}

run "new_topic_in_full" {
  command = plan

  variables {
    streams = { orders = { topic = "projects/shop/topics/orders", create_topic = true } }
  }

  expect_failures = [var.streams]
}

run "new_topic_of_google" {
  command = plan

  variables {
    streams = { orders = { topic = "google-orders", create_topic = true } }
  }

  expect_failures = [var.streams]
}

run "template_with_unknown_field" {
  command = plan

  variables {
    key_template = "{foo}/{stream}/{time:%Y/%m/%d}-{id}-{digest}"
  }

  expect_failures = [var.key_template]
}

run "template_with_shard_of_no_size" {
  command = plan

  variables {
    key_template = "{shard}/{stream}/{time:%Y/%m/%d}-{id}-{digest}"
  }

  expect_failures = [var.key_template]
}

run "template_with_attribute_without_default" {
  command = plan

  variables {
    key_template = "{attribute:tenant}/{stream}/{time:%Y/%m/%d}-{id}-{digest}"
  }

  expect_failures = [var.key_template]
}

run "template_without_id" {
  command = plan

  variables {
    key_template = "{stream}/{time:%Y/%m/%d}-{digest}"
  }

  expect_failures = [var.key_template]
}

run "template_without_digest" {
  command = plan

  variables {
    key_template = "{stream}/{time:%Y/%m/%d}-{id}"
  }

  expect_failures = [var.key_template]
}

run "template_without_day" {
  command = plan

  variables {
    key_template = "{stream}/{time:%Y/%m}-{id}-{digest}"
  }

  expect_failures = [var.key_template]
}

run "template_without_stream" {
  command = plan

  variables {
    key_template = "{time:%Y/%m/%d}-{id}-{digest}"
  }

  expect_failures = [var.key_template]
}

run "prefix_with_slash" {
  command = plan

  variables {
    prefix = "a/"
  }

  expect_failures = [var.prefix]
}

run "prefix_with_first_slash" {
  command = plan

  variables {
    prefix = "/a"
  }

  expect_failures = [var.prefix]
}

run "prefix_with_reserved" {
  command = plan

  variables {
    prefix = "_persistor"
  }

  expect_failures = [var.prefix]
}

run "prefix_with_dots" {
  command = plan

  variables {
    prefix = "a/../b"
  }

  expect_failures = [var.prefix]
}

run "bucket_as_url" {
  command = plan

  variables {
    bucket = "gs://my-archive"
  }

  expect_failures = [var.bucket]
}

# The package.

run "two_packages" {
  command = plan

  variables {
    package = { path = "tests/fixtures/package.tar.gz", image = "europe-west1-docker.pkg.dev/p/r/i" }
  }

  expect_failures = [var.package]
}

run "no_package" {
  command = plan

  variables {
    package = {}
  }

  expect_failures = [var.package]
}

run "package_that_is_not_there" {
  command = plan

  variables {
    package = { path = "nowhere.tar.gz" }
  }

  expect_failures = [var.package]
}

# Null is the default: the package in the folder where Terraform runs.
run "default_package_that_is_not_there" {
  command = plan

  variables {
    package = null
  }

  expect_failures = [var.package]
}

run "package_of_another_kind" {
  command = plan

  variables {
    package = { path = "tests/defaults.tftest.hcl" }
  }

  expect_failures = [var.package]
}

run "release_without_digest" {
  command = plan

  variables {
    package = { url = "https://example.com/persistor-gcp-function.tar.gz" }
  }

  expect_failures = [var.package]
}

run "release_with_half_a_digest" {
  command = plan

  variables {
    package = { url = "https://example.com/persistor-gcp-function.tar.gz", sha256 = "e3b0c442" }
  }

  expect_failures = [var.package]
}

run "release_without_tls" {
  command = plan

  variables {
    package = { url = "http://example.com/persistor-gcp-function.tar.gz", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
  }

  expect_failures = [var.package]
}

run "digest_of_an_image" {
  command = plan

  variables {
    package = { image = "europe-west1-docker.pkg.dev/p/r/i", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
  }

  expect_failures = [var.package]
}

# Names.

run "project_number" {
  command = plan

  variables {
    project = "123456789012"
  }

  expect_failures = [var.project]
}

run "zone" {
  command = plan

  variables {
    region = "europe-west1-b"
  }

  expect_failures = [var.region]
}

run "name_too_long" {
  command = plan

  variables {
    name = "a-name-of-21-letters-"
  }

  expect_failures = [var.name]
}

run "name_of_google" {
  command = plan

  variables {
    name = "google-archive"
  }

  expect_failures = [var.name]
}

run "channel_in_short" {
  command = plan

  variables {
    notification_channels = ["1"]
  }

  expect_failures = [var.notification_channels]
}

run "label_in_capitals" {
  command = plan

  variables {
    labels = { Team = "data" }
  }

  expect_failures = [var.labels]
}
