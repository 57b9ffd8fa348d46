#include "plugin/shared_object.h"

#include "base/status.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const char *last_error(void)
{
    const char *text = dlerror();

    return text ? text : "no reason is given";
}

/* The loader's words for a wrong file are its own; this says it in ours. */
static enum shoal_status check_file(const char *path, struct shoal_error *err)
{
    unsigned char ident[SELFMAG];
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return shoal_fail(err, SHOAL_E_IO, "plugin %s cannot be opened: %s", path, strerror(errno));
    n = read(fd, ident, sizeof ident);
    close(fd);
    if (n == sizeof ident && memcmp(ident, ELFMAG, SELFMAG) == 0)
        return SHOAL_OK;
    return shoal_fail(err, SHOAL_E_FORMAT,
                      "plugin %s is not a shared object: build one with cc -shared -fPIC", path);
}

enum shoal_status shared_object_open(void **library, const struct shoal_plugin **plugin,
                                     const char *path, struct shoal_error *err)
{
    const struct shoal_plugin *(*entry)(void);
    const enum shoal_status status = check_file(path, err);
    void *symbol;

    *library = NULL;
    if (status)
        return status;
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return shoal_fail(err, SHOAL_E_FORMAT, "plugin %s cannot be loaded: %s", path,
                          last_error());
    symbol = dlsym(handle, "shoal_plugin_entry");
    if (!symbol) {
        dlclose(handle);
        return shoal_fail(err, SHOAL_E_FORMAT,
                          "plugin %s has no function shoal_plugin_entry: define it as "
                          "shoal/plugin.h declares it",
                          path);
    }
    memcpy(&entry, &symbol, sizeof entry); /* C knows no cast from an object to a function */
    *plugin = entry();
    if (!*plugin) {
        dlclose(handle);
        return shoal_fail(err, SHOAL_E_INVALID, "plugin %s: its shoal_plugin_entry gives NULL",
                          path);
    }
    *library = handle;
    return SHOAL_OK;
}

void shared_object_close(void *library)
{
    if (library)
        dlclose(library);
}
