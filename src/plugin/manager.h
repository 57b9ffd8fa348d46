/* plugin/manager.h - what the manager remembers of its plugins; internal to the folder */
#ifndef PLUGIN_MANAGER_H
#define PLUGIN_MANAGER_H

#include "plugin/plugins.h"
#include "plugin/spec.h"

#include <pthread.h>

struct plugin {
    const struct shoal_plugin *self;
    struct plugins *owner;
    struct shoal_plugin_host host; /* its engine is this struct */
    struct plugin_spec spec;
    void *library; /* of a shared object, else NULL */
    void *state;
    _Atomic bool is_on;
    bool has_failed; /* and was switched off for it */
};

struct plugins {
    struct shoal_plugin_host host; /* as the engine gave it */
    plugins_compare_func_t compare;
    bool errors_are_fatal;
    pthread_mutex_t lock; /* held in code of a plugin, except create, finish and destroy */
    struct plugin **list; /* (n) in order */
    int32_t n;
};

/* Between user_begin and user_end the thread is in code of a plugin, which may allocate, and no
 * other thread is in any: on rank 0 of several the leader steps beside a thread that computes. */
const char *user_begin(const struct plugin *plugin);
void user_end(const struct plugin *plugin, const char *phase);

/* What a call gave: SHOAL_OK when it went well, or when it failed and the plugin was switched off;
 * else the failure, in *err, which ends the run. own_err is what the plugin wrote, zeroed before.
 */
enum shoal_status plugin_settle(struct plugin *plugin, const char *function,
                                enum shoal_status status, const struct shoal_error *own_err,
                                struct shoal_error *err);

/* Switching it off would change numbers, or leave rows that nobody can read. */
bool plugin_is_fixed(const struct plugin *plugin);

#endif
