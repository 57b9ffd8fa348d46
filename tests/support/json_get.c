/* json_get FILE [CUSTOM_ID PATH ...] - for shell tests: values out of lines of JSON
 *
 * Every line of FILE must be a whole JSON object, or the program fails. Prints how many there are;
 * or, of the line with that custom_id ("-": the first line), the value at each PATH (members and
 * indices with dots between, "#" for a length): texts as they are, anything else as JSON. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const json_t *step_into(const json_t *value, const char *name)
{
    if (json_is_array(value))
        return json_array_get(value, (size_t)strtoul(name, NULL, 10));
    return json_object_get(value, name);
}

static int print_value(const json_t *value, const char *path)
{
    char *copy = strdup(path), *rest = copy, *name;
    char *text;

    while (copy && value && (name = strsep(&rest, "."))) {
        if (strcmp(name, "#") == 0) {
            printf("%zu\n",
                   json_is_array(value) ? json_array_size(value) : json_object_size(value));
            free(copy);
            return EXIT_SUCCESS;
        }
        value = step_into(value, name);
    }
    free(copy);
    if (!value) {
        fprintf(stderr, "json_get: there is no %s\n", path);
        return EXIT_FAILURE;
    }
    if (json_is_string(value)) {
        printf("%s\n", json_string_value(value));
        return EXIT_SUCCESS;
    }
    text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    printf("%s\n", text ? text : "");
    free(text);
    return EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
    FILE *f = argc > 1 ? fopen(argv[1], "r") : NULL;
    json_t *found = NULL;
    char *line = NULL;
    size_t capacity = 0;
    ssize_t n;
    int n_lines = 0, code = EXIT_SUCCESS;

    if (!f) {
        fprintf(stderr, "json_get: cannot open %s\n", argc > 1 ? argv[1] : "nothing");
        return EXIT_FAILURE;
    }
    while (code == EXIT_SUCCESS && (n = getline(&line, &capacity, f)) > 0) {
        json_error_t err;
        json_t *root = json_loadb(line, (size_t)n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &err);
        const char *id = json_string_value(json_object_get(root, "custom_id"));

        n_lines++;
        if (!json_is_object(root) || line[n - 1] != '\n') {
            fprintf(stderr, "json_get: %s, line %d: %s\n", argv[1], n_lines,
                    root ? "the line has no end" : err.text);
            code = EXIT_FAILURE;
        }
        if (argc > 2 && !found && (strcmp(argv[2], "-") == 0 || (id && !strcmp(id, argv[2]))))
            found = json_incref(root);
        json_decref(root);
    }
    free(line);
    fclose(f);
    if (code == EXIT_SUCCESS && argc == 2)
        printf("%d\n", n_lines);
    if (code == EXIT_SUCCESS && argc > 2 && !found) {
        fprintf(stderr, "json_get: %s has no line with custom_id %s\n", argv[1], argv[2]);
        code = EXIT_FAILURE;
    }
    for (int i = 3; code == EXIT_SUCCESS && i < argc; i++)
        code = print_value(found, argv[i]);
    json_decref(found);
    return code;
}
