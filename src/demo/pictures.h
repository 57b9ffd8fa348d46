/* demo/pictures.h - the pictures of a run: each appends an SVG */
#ifndef DEMO_PICTURES_H
#define DEMO_PICTURES_H

#include "demo/attention_watch.h"
#include "demo/run.h"

enum shoal_status picture_token_table(const struct demo_run *r, struct text *out,
                                      struct shoal_error *err);
enum shoal_status picture_attention(const struct demo_run *r, const struct attention_watch *w,
                                    struct text *out, struct shoal_error *err);
enum shoal_status picture_timeline(const struct demo_run *r, struct text *out,
                                   struct shoal_error *err);
enum shoal_status picture_step_tokens(const struct demo_run *r, struct text *out,
                                      struct shoal_error *err);
enum shoal_status picture_kv_layout(const struct demo_run *r, const char *layout, struct text *out,
                                    struct shoal_error *err);

#endif
