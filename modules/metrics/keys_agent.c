/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys_agent - which figure of a Mesos agent goes under which name.
 *
 * Names, labels and what a name holds are mesos_exporter's, so that dashboards and rules go on working.
 */
#include "keys.h"

#define KEYS(...) (const struct key[]){ __VA_ARGS__, { NULL, NULL } }

const struct key_family keys_agent[] = {
	{ "mesos_slave_containerizer_fetcher_cache_size", FAMILY_GAUGE, "type",
	  "bytes of the cache of the fetcher", KEYS(
		{ "containerizer/fetcher/cache_size_total_bytes", "total" },
		{ "containerizer/fetcher/cache_size_used_bytes", "used" }) },
	{ "mesos_slave_containerizer_fetcher_task_fetches", FAMILY_COUNTER, "outcome",
	  "tasks whose files were fetched", KEYS(
		{ "containerizer/fetcher/task_fetches_failed", "failed" },
		{ "containerizer/fetcher/task_fetches_succeeded", "success" }) },
	{ "mesos_slave_containerizer_container_destroy_errors", FAMILY_COUNTER, "",
	  "containers that could not be destroyed", KEYS(
		{ "containerizer/mesos/container_destroy_errors", "" }) },
	{ "mesos_slave_containerizer_xfs_project_ids", FAMILY_GAUGE, "type",
	  "project ids of XFS", KEYS(
		{ "containerizer/mesos/disk/project_ids_free", "free" },
		{ "containerizer/mesos/disk/project_ids_total", "total" }) },
	{ "mesos_slave_containerizer_filesystem_containers_new_rootfs", FAMILY_COUNTER, "",
	  "containers with a root file system of their own", KEYS(
		{ "containerizer/mesos/filesystem/containers_new_rootfs", "" }) },
	{ "mesos_slave_containerizer_provisioner_bind_remove_rootfs_errors", FAMILY_COUNTER, "",
	  "root file systems that could not be removed", KEYS(
		{ "containerizer/mesos/provisioner/bind/remove_rootfs_errors", "" }) },
	{ "mesos_slave_containerizer_provisioner_remove_container_errors", FAMILY_COUNTER, "",
	  "containers that the provisioner could not remove", KEYS(
		{ "containerizer/mesos/provisioner/remove_container_errors", "" }) },
	{ "mesos_slave_gc_path_removals_outcome", FAMILY_COUNTER, "outcome",
	  "paths that were removed", KEYS(
		{ "gc/path_removals_failed", "failed" }, { "gc/path_removals_succeeded", "success" }) },
	{ "mesos_slave_gc_path_removals_pending", FAMILY_GAUGE, "",
	  "paths that wait to be removed", KEYS(
		{ "gc/path_removals_pending", "" }) },
	{ "mesos_slave_container_launch_errors", FAMILY_COUNTER, "",
	  "containers that could not be launched", KEYS(
		{ "slave/container_launch_errors", "" }) },
	{ "mesos_slave_executor_directory_max_allowed_age_secs", FAMILY_GAUGE, "",
	  "seconds that the folder of an executor may stay", KEYS(
		{ "slave/executor_directory_max_allowed_age_secs", "" }) },
	{ "mesos_slave_executors_preempted", FAMILY_COUNTER, "",
	  "executors that were preempted", KEYS(
		{ "slave/executors_preempted", "" }) },
	{ "mesos_slave_executor_state", FAMILY_GAUGE, "state",
	  "executors", KEYS(
		{ "slave/executors_registering", "registering" }, { "slave/executors_running", "running" },
		{ "slave/executors_terminating", "terminating" }) },
	{ "mesos_slave_executors_terminated", FAMILY_COUNTER, "",
	  "executors that ended", KEYS(
		{ "slave/executors_terminated", "" }) },
	{ "mesos_slave_frameworks_active", FAMILY_GAUGE, "",
	  "frameworks on this agent", KEYS(
		{ "slave/frameworks_active", "" }) },
	{ "mesos_slave_messages_outcomes_total", FAMILY_COUNTER, "outcome|type",
	  "messages, valid or not", KEYS(
		{ "slave/invalid_framework_messages", "invalid|framework" },
		{ "slave/invalid_status_updates", "invalid|status" },
		{ "slave/valid_framework_messages", "valid|framework" },
		{ "slave/valid_status_updates", "valid|status" }) },
	{ "mesos_slave_recovery_errors", FAMILY_COUNTER, "",
	  "errors of the last recovery", KEYS(
		{ "slave/recovery_errors", "" }) },
	{ "mesos_slave_recovery_time_secs", FAMILY_GAUGE, "",
	  "seconds that the last recovery took", KEYS(
		{ "slave/recovery_time_secs", "" }) },
	{ "mesos_slave_registered", FAMILY_GAUGE, "",
	  "1: the agent is registered", KEYS(
		{ "slave/registered", "" }) },
	{ "mesos_slave_task_states_exit_total", FAMILY_COUNTER, "state",
	  "tasks that ended", KEYS(
		{ "slave/tasks_error", "errored" }, { "slave/tasks_failed", "failed" },
		{ "slave/tasks_finished", "finished" }, { "slave/tasks_gone", "gone" },
		{ "slave/tasks_killed", "killed" }, { "slave/tasks_lost", "lost" }) },
	{ "mesos_slave_task_states_current", FAMILY_GAUGE, "state",
	  "tasks that live", KEYS(
		{ "slave/tasks_killing", "killing" }, { "slave/tasks_running", "running" },
		{ "slave/tasks_staging", "staging" }, { "slave/tasks_starting", "starting" }) },
	{ "mesos_slave_uptime_seconds", FAMILY_GAUGE, "",
	  "seconds since the agent began", KEYS(
		{ "slave/uptime_secs", "" }) },
	{ .name = NULL },
};
