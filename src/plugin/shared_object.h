/* plugin/shared_object.h - a plugin from a file of its own */
#ifndef PLUGIN_SHARED_OBJECT_H
#define PLUGIN_SHARED_OBJECT_H

#include "shoal/plugin.h"

/* Loads the file and asks its shoal_plugin_entry. *library keeps it loaded until
 * shared_object_close. Errors say what the file lacks; on failure nothing is loaded. */
enum shoal_status shared_object_open(void **library, const struct shoal_plugin **plugin,
                                     const char *path, struct shoal_error *err);
void shared_object_close(void *library); /* NULL is fine */

#endif
