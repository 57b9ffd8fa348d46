/* cli/request_source.h - where the requests of a run come from: --prompt, or the lines of a file */
#ifndef CLI_REQUEST_SOURCE_H
#define CLI_REQUEST_SOURCE_H

#include "base/settings.h"
#include "cli/batch_request.h"
#include "cli/id_set.h"
#include "cli/line_reader.h"

enum source_kind { SOURCE_PROMPTS, SOURCE_TEXT, SOURCE_JSON };

struct request_source {
    enum source_kind kind;
    const struct setting_list *prompts; /* borrowed */
    struct line_reader reader;
    struct shoal_request defaults; /* of prompts and text lines */
    bool is_chat;
    int32_t n_given; /* prompts */
    struct id_set seen;
    struct batch_warnings warnings;
};

enum source_result {
    SOURCE_REQUEST,
    SOURCE_BAD,      /* a request that failed: *err says why, *out whose it is */
    SOURCE_NONE_YET, /* wait until source_fd can be read */
    SOURCE_END
};

/* path NULL: prompts. Both are borrowed. */
enum shoal_status request_source_open(struct request_source *s, enum source_kind kind,
                                      const char *path, const struct setting_list *prompts,
                                      struct shoal_error *err);
void request_source_close(struct request_source *s);

/* The next request; never waits. On SOURCE_REQUEST and SOURCE_BAD *out is the caller's, to be given
 * to batch_request_fini. */
enum source_result request_source_next(struct request_source *s, struct batch_request *out,
                                       struct shoal_error *err);
/* To be polled after SOURCE_NONE_YET. */
int request_source_fd(const struct request_source *s);

#endif
