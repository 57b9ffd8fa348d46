/* Feeds every file of a folder to a fuzz target, so that what the fuzzer once found stays mended
 * where there is no libFuzzer. */
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

/* Exactly as large as the file, so that a sanitizer sees a read behind it. NULL: a message was
 * printed. */
static uint8_t *read_file(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    uint8_t *bytes = NULL;
    long size = -1;

    if (f && fseek(f, 0, SEEK_END) == 0)
        size = ftell(f);
    if (size >= 0 && fseek(f, 0, SEEK_SET) == 0)
        bytes = malloc(size ? (size_t)size : 1);
    if (bytes && fread(bytes, 1, (size_t)size, f) != (size_t)size) {
        free(bytes);
        bytes = NULL;
    }
    if (f)
        fclose(f);
    if (!bytes)
        fprintf(stderr, "cannot read %s\n", path);
    *n = (size_t)size;
    return bytes;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(int argc, char *argv[])
{
    struct dirent **entries;
    int n_entries, n_fed = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return EXIT_FAILURE;
    }
    n_entries = scandir(argv[1], &entries, is_visible, alphasort);
    if (n_entries <= 0) {
        fprintf(stderr, "%s: no inputs\n", argv[1]);
        return EXIT_FAILURE;
    }
    for (int i = 0; i < n_entries; i++) {
        char path[4096];
        uint8_t *bytes;
        size_t n;

        snprintf(path, sizeof path, "%s/%s", argv[1], entries[i]->d_name);
        free(entries[i]);
        bytes = read_file(path, &n);
        if (!bytes)
            continue;
        printf("%s: %zu bytes\n", path, n);
        fflush(stdout); /* before a crash, so that the last line names its input */
        LLVMFuzzerTestOneInput(bytes, n);
        free(bytes);
        n_fed++;
    }
    free(entries);
    return n_fed == n_entries ? EXIT_SUCCESS : EXIT_FAILURE;
}
