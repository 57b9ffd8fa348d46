/* Two prompts, continuously batched, printed as they come:
 *     cc generate.c $(pkg-config --cflags --libs shoal) -o generate && ./generate [MODEL.gguf] */
#include <shoal/shoal.h>
#include <stdio.h>
#include <string.h>

static int fail(const struct shoal_error *error)
{
    fprintf(stderr, "%s\n", error->text);
    return 1;
}

int main(int argc, char **argv)
{
    const char *const prompts[] = {"ROMEO:\nBut soft,", "KING HENRY:\nOnce more"};
    struct shoal_options options;
    struct shoal_engine *engine;
    struct shoal_error error;
    struct shoal_event event;

    shoal_options_default(&options);
    if (argc > 1)
        options.model = argv[1];
    if (shoal_engine_open(&engine, &options, &error) != SHOAL_OK)
        return fail(&error);
    for (int i = 0; i < 2; i++) {
        struct shoal_request request;
        uint64_t id;

        shoal_request_default(&request);
        request.prompt = prompts[i];
        request.n_prompt = strlen(prompts[i]);
        request.max_tokens = 32;
        request.temperature = 0;
        if (shoal_submit(engine, &request, &id, &error) != SHOAL_OK)
            return fail(&error);
        printf("request %llu: %s\n", (unsigned long long)id, prompts[i]);
    }
    while (!shoal_is_idle(engine)) {
        if (shoal_run(engine, -1, &error) != SHOAL_OK)
            return fail(&error);
        while (shoal_next_event(engine, &event)) {
            printf("%llu: \"%s\"\n", (unsigned long long)event.request, event.text);
            if (event.finish != SHOAL_RUNNING)
                printf("%llu: %s after %d tokens\n", (unsigned long long)event.request,
                       shoal_finish_name(event.finish), event.n_generated);
        }
    }
    return shoal_engine_close(engine) == SHOAL_OK ? 0 : 1;
}
