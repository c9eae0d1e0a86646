/* SPDX-License-Identifier: Apache-2.0 */
/* satellite - watches a Mesos cluster, alerts, and decides which hosts get work. */
int main(void)
{
	return 0;
}
