/* SPDX-License-Identifier: Apache-2.0 */
/* builtin - a module that is linked into the test stands for its .so (linked with ld --wrap), so that faults reach it. */
#include <dlfcn.h>
#include <stdio.h>

#include <satellite/module.h>

void *__real_dlsym(void *handle, const char *name);
void *__wrap_dlsym(void *handle, const char *name);

void *__wrap_dlsym(void *handle, const char *name)
{
	const struct sat_module *found = __real_dlsym(handle, name);
	char builtin[80];
	void *own;

	if (found == NULL || found->abi != SAT_ABI)
		return (void *)(uintptr_t)found;
	snprintf(builtin, sizeof(builtin), "sat_module_%s", found->name != NULL ? found->name : "");
	for (char *p = builtin; *p != '\0'; p++)
		if (*p == '-')
			*p = '_';
	own = __real_dlsym(RTLD_DEFAULT, builtin);
	return own != NULL ? own : (void *)(uintptr_t)found;
}
