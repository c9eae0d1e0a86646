/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys_master - which figure of a Mesos master goes under which name.
 *
 * Names, labels and what a name holds are mesos_exporter's, so that dashboards and rules go on working.
 * Where that is not what the name says, one that begins with satellite_mesos_ has the right figure.
 */
#include "keys.h"

#define KEYS(...) (const struct key[]){ __VA_ARGS__, { NULL, NULL } }

const struct key_family keys_master[] = {
	{ "mesos_master_allocator_event_queue_dispatches", FAMILY_GAUGE, "",
	  "dispatches in the queue of the allocator, under its old key", KEYS(
		{ "allocator/event_queue_dispatches", "" }) },
	{ "mesos_master_allocation_run_latency_ms", FAMILY_GAUGE, "type",
	  "milliseconds that an allocation waited", KEYS(
		{ "allocator/mesos/allocation_run_latency_ms", "mean" },
		{ "allocator/mesos/allocation_run_latency_ms/max", "max" },
		{ "allocator/mesos/allocation_run_latency_ms/min", "min" },
		{ "allocator/mesos/allocation_run_latency_ms/p50", "p50" },
		{ "allocator/mesos/allocation_run_latency_ms/p90", "p90" },
		{ "allocator/mesos/allocation_run_latency_ms/p95", "p95" },
		{ "allocator/mesos/allocation_run_latency_ms/p99", "p99" },
		{ "allocator/mesos/allocation_run_latency_ms/p999", "p999" },
		{ "allocator/mesos/allocation_run_latency_ms/p9999", "p9999" }) },
	{ "mesos_master_allocation_run_latency_ms_count", FAMILY_COUNTER, "event",
	  "allocations that mesos_master_allocation_run_latency_ms is of", KEYS(
		{ "allocator/mesos/allocation_run_latency_ms/count", "allocation" }) },
	{ "mesos_master_allocation_run_ms", FAMILY_GAUGE, "type",
	  "milliseconds of an allocation", KEYS(
		{ "allocator/mesos/allocation_run_ms", "mean" }, { "allocator/mesos/allocation_run_ms/max", "max" },
		{ "allocator/mesos/allocation_run_ms/min", "min" },
		{ "allocator/mesos/allocation_run_ms/p50", "p50" },
		{ "allocator/mesos/allocation_run_ms/p90", "p90" },
		{ "allocator/mesos/allocation_run_ms/p95", "p95" },
		{ "allocator/mesos/allocation_run_ms/p99", "p99" },
		{ "allocator/mesos/allocation_run_ms/p999", "p999" },
		{ "allocator/mesos/allocation_run_ms/p9999", "p9999" }) },
	{ "mesos_master_allocation_run_ms_count", FAMILY_GAUGE, "",
	  "allocations made; those of mesos_master_allocation_run_ms: satellite_mesos_allocation_run_samples", KEYS(
		{ "allocator/mesos/allocation_runs", "" }) },
	{ "mesos_master_allocation_runs", FAMILY_COUNTER, "event",
	  "allocations made", KEYS(
		{ "allocator/mesos/allocation_runs", "allocation" }) },
	{ "mesos_master_event_queue_dispatches", FAMILY_GAUGE, "",
	  "dispatches in the queue of the allocator, not of the master", KEYS(
		{ "allocator/mesos/event_queue_dispatches", "" }) },
	{ "mesos_master_allocator_resources_cpus", FAMILY_GAUGE, "type",
	  "CPUs of the allocator", KEYS(
		{ "allocator/mesos/resources/cpus/offered_or_allocated", "offered_or_allocated" },
		{ "allocator/mesos/resources/cpus/total", "total" }) },
	{ "mesos_master_allocator_resources_disk", FAMILY_GAUGE, "type",
	  "disk of the allocator, in MB", KEYS(
		{ "allocator/mesos/resources/disk/offered_or_allocated", "offered_or_allocated" },
		{ "allocator/mesos/resources/disk/total", "total" }) },
	{ "mesos_master_allocator_resources_mem", FAMILY_GAUGE, "type",
	  "memory of the allocator, in MB", KEYS(
		{ "allocator/mesos/resources/mem/offered_or_allocated", "offered_or_allocated" },
		{ "allocator/mesos/resources/mem/total", "total" }) },
	{ "mesos_master_messages", FAMILY_COUNTER, "type",
	  "messages that came", KEYS(
		{ "master/dropped_messages", "dropped_messages" },
		{ "master/messages_authenticate", "authenticate_messages" },
		{ "master/messages_deactivate_framework", "deactivate_framework" },
		{ "master/messages_decline_offers", "decline_offers" },
		{ "master/messages_executor_to_framework", "executor_to_framework" },
		{ "master/messages_exited_executor", "exited_executor" },
		{ "master/messages_framework_to_executor", "framework_to_executor" },
		{ "master/messages_kill_task", "kill_task" }, { "master/messages_launch_tasks", "launch_tasks" },
		{ "master/messages_reconcile_tasks", "reconcile_tasks" },
		{ "master/messages_register_framework", "register_framework" },
		{ "master/messages_register_slave", "register_slave" },
		{ "master/messages_reregister_framework", "reregister_framework" },
		{ "master/messages_reregister_slave", "reregister_slave" },
		{ "master/messages_resource_request", "resource_request" },
		{ "master/messages_revive_offers", "revive_offers" },
		{ "master/messages_status_update", "status_update" },
		{ "master/messages_status_update_acknowledgement", "status_update_acknowledgement" },
		{ "master/messages_suppress_offers", "suppress_offers" },
		{ "master/messages_unregister_framework", "unregister_framework" },
		{ "master/messages_unregister_slave", "unregister_slave" },
		{ "master/messages_update_slave", "update_slave" }) },
	{ "mesos_master_elected", FAMILY_GAUGE, "",
	  "1: this Mesos master leads", KEYS(
		{ "master/elected", "" }) },
	{ "mesos_master_event_queue_length", FAMILY_GAUGE, "type",
	  "events in the queue of the master", KEYS(
		{ "master/event_queue_dispatches", "dispatches" },
		{ "master/event_queue_http_requests", "http_request" }, { "master/event_queue_messages", "message" }) },
	{ "mesos_master_frameworks_state", FAMILY_GAUGE, "state",
	  "frameworks", KEYS(
		{ "master/frameworks_active", "connected_active" },
		{ "master/frameworks_disconnected", "disconnected_inactive" },
		{ "master/frameworks_inactive", "connected_inactive" }) },
	{ "mesos_master_messages_outcomes_total", FAMILY_COUNTER, "destination|outcome|source|type",
	  "messages, valid or not; satellite_mesos_messages_outcomes_total has right labels", KEYS(
		{ "master/invalid_executor_to_framework_messages", "framework|invalid|executor|" },
		{ "master/invalid_framework_to_executor_messages", "executor|invalid|framework|" },
		{ "master/invalid_status_update_acknowledgements", "framework|invalid|slave|status_update" },
		{ "master/invalid_status_updates", "slave|invalid|framework|status_update" },
		{ "master/valid_executor_to_framework_messages", "framework|valid|executor|" },
		{ "master/valid_framework_to_executor_messages", "executor|valid|framework|" },
		{ "master/valid_status_update_acknowledgements", "framework|valid|slave|status_update" },
		{ "master/valid_status_updates", "slave|valid|framework|status_update" }) },
	{ "mesos_master_offers_pending", FAMILY_GAUGE, "",
	  "offers that wait for an answer", KEYS(
		{ "master/outstanding_offers", "" }) },
	{ "mesos_master_recovery_slave_removal_events_total", FAMILY_COUNTER, "event",
	  "agents that did not come back after a change of leaders", KEYS(
		{ "master/recovery_slave_removals", "removal" }) },
	{ "mesos_master_slave_registration_events_total", FAMILY_COUNTER, "event",
	  "agents that registered", KEYS(
		{ "master/slave_registrations", "register" }, { "master/slave_reregistrations", "reregister" }) },
	{ "mesos_master_slave_removal_events_total", FAMILY_COUNTER, "event",
	  "steps of removing agents; died: removals without completed shutdowns", KEYS(
		{ "master/slave_shutdowns_canceled", "canceled" },
		{ "master/slave_shutdowns_completed", "completed" },
		{ "master/slave_shutdowns_scheduled", "scheduled" }) },
	{ "mesos_master_slave_unreachable_events_total", FAMILY_COUNTER, "event",
	  "steps of marking agents unreachable", KEYS(
		{ "master/slave_unreachable_canceled", "canceled" },
		{ "master/slave_unreachable_completed", "completed" },
		{ "master/slave_unreachable_scheduled", "scheduled" }) },
	{ "mesos_master_slaves_state", FAMILY_GAUGE, "state",
	  "agents", KEYS(
		{ "master/slaves_active", "connected_active" },
		{ "master/slaves_disconnected", "disconnected_inactive" },
		{ "master/slaves_inactive", "connected_inactive" }, { "master/slaves_unreachable", "unreachable" }) },
	{ "mesos_master_task_states_exit_total", FAMILY_COUNTER, "state",
	  "tasks that ended", KEYS(
		{ "master/tasks_dropped", "dropped" }, { "master/tasks_error", "errored" },
		{ "master/tasks_failed", "failed" }, { "master/tasks_finished", "finished" },
		{ "master/tasks_gone", "gone" }, { "master/tasks_gone_by_operator", "gone_by_operator" },
		{ "master/tasks_killed", "killed" }, { "master/tasks_lost", "lost" }) },
	{ "mesos_master_task_states_current", FAMILY_GAUGE, "state",
	  "tasks that live", KEYS(
		{ "master/tasks_killing", "killing" }, { "master/tasks_running", "running" },
		{ "master/tasks_staging", "staging" }, { "master/tasks_starting", "starting" },
		{ "master/tasks_unreachable", "unreachable" }) },
	{ "mesos_master_uptime_seconds", FAMILY_GAUGE, "",
	  "seconds since the Mesos master began", KEYS(
		{ "master/uptime_secs", "" }) },
	{ "mesos_overlay_log_ensemble_size", FAMILY_GAUGE, "",
	  "masters that keep the log of the overlay", KEYS(
		{ "overlay/log/ensemble_size", "" }) },
	{ "mesos_overlay_log_recovered", FAMILY_GAUGE, "",
	  "1: the log of the overlay is whole", KEYS(
		{ "overlay/log/recovered", "" }) },
	{ "mesos_registrar_log_ensemble_size", FAMILY_GAUGE, "",
	  "masters that keep the log of the registry", KEYS(
		{ "registrar/log/ensemble_size", "" }) },
	{ "mesos_registrar_log_recovered", FAMILY_GAUGE, "",
	  "1: the log of the registry is whole", KEYS(
		{ "registrar/log/recovered", "" }) },
	{ "mesos_registrar_queued_operations", FAMILY_GAUGE, "",
	  "operations that wait for the registry", KEYS(
		{ "registrar/queued_operations", "" }) },
	{ "mesos_registrar_registry_size_bytes", FAMILY_GAUGE, "",
	  "bytes of the registry", KEYS(
		{ "registrar/registry_size_bytes", "" }) },
	{ "mesos_registrar_state_fetch_ms", FAMILY_GAUGE, "",
	  "milliseconds that reading the registry took", KEYS(
		{ "registrar/state_fetch_ms", "" }) },
	{ "mesos_registrar_state_store_ms", FAMILY_GAUGE, "type",
	  "milliseconds that writing the registry took", KEYS(
		{ "registrar/state_store_ms", "mean" }, { "registrar/state_store_ms/max", "max" },
		{ "registrar/state_store_ms/min", "min" }, { "registrar/state_store_ms/p50", "p50" },
		{ "registrar/state_store_ms/p90", "p90" }, { "registrar/state_store_ms/p95", "p95" },
		{ "registrar/state_store_ms/p99", "p99" }, { "registrar/state_store_ms/p999", "p999" },
		{ "registrar/state_store_ms/p9999", "p9999" }) },
	{ "satellite_mesos_allocation_run_samples", FAMILY_GAUGE, "",
	  "allocations that mesos_master_allocation_run_ms is of", KEYS(
		{ "allocator/mesos/allocation_run_ms/count", "" }) },
	{ "satellite_mesos_state_store_samples", FAMILY_GAUGE, "",
	  "times that mesos_registrar_state_store_ms is of", KEYS(
		{ "registrar/state_store_ms/count", "" }) },
	{ "satellite_mesos_event_queue_dispatches", FAMILY_GAUGE, "of",
	  "dispatches in a queue of the Mesos master", KEYS(
		{ "master/event_queue_dispatches", "master" },
		{ "allocator/mesos/event_queue_dispatches", "allocator" },
		{ "allocator/event_queue_dispatches", "allocator" }) },
	{ "satellite_mesos_messages_outcomes_total", FAMILY_COUNTER, "type|source|destination|outcome",
	  "messages that a Mesos master passed on, or found invalid", KEYS(
		{ "master/invalid_executor_to_framework_messages", "message|executor|framework|invalid" },
		{ "master/valid_executor_to_framework_messages", "message|executor|framework|valid" },
		{ "master/invalid_framework_to_executor_messages", "message|framework|executor|invalid" },
		{ "master/valid_framework_to_executor_messages", "message|framework|executor|valid" },
		{ "master/invalid_status_updates", "status_update|slave|framework|invalid" },
		{ "master/valid_status_updates", "status_update|slave|framework|valid" },
		{ "master/invalid_status_update_acknowledgements",
		  "status_update_acknowledgement|framework|slave|invalid" },
		{ "master/valid_status_update_acknowledgements",
		  "status_update_acknowledgement|framework|slave|valid" }) },
	{ "satellite_mesos_slave_removals_total", FAMILY_COUNTER, "",
	  "agents that a Mesos master removed", KEYS(
		{ "master/slave_removals", "" }) },
	{ .name = NULL },
};
