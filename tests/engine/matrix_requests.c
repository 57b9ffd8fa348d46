/* The set of requests: short and long, alone and with common beginnings, greedy and sampled. */
#include "engine/matrix.h"

#include <string.h>

static const char text_of_plays[] =
    "HAMLET:\nTo be, or not to be: that is the question:\nWhether 'tis nobler in the mind to "
    "suffer\nThe slings and arrows of outrageous fortune,\nOr to take arms against a sea of "
    "troubles,\nAnd by opposing end them? To die: to sleep;\nNo more; and by a sleep to say we "
    "end\nThe heart-ache and the thousand natural shocks\nThat flesh is heir to, 'tis a "
    "consummation\nDevoutly to be wish'd. To die, to sleep;\nTo sleep: perchance to dream: ay, "
    "there's the rub;\nFor in that sleep of death what dreams may come\nWhen we have shuffled off "
    "this mortal coil,\nMust give us pause: there's the respect\nThat makes calamity of so long "
    "life;\n\nMACBETH:\nShe should have died hereafter;\nThere would have been a time for such a "
    "word.\nTo-morrow, and to-morrow, and to-morrow,\nCreeps in this petty pace from day to "
    "day\nTo the last syllable of recorded time,\nAnd all our yesterdays have lighted fools\nThe "
    "way to dusty death. Out, out, brief candle!\nLife's but a walking shadow, a poor player\nThat "
    "struts and frets his hour upon the stage\nAnd then is heard no more: it is a tale\nTold by an "
    "idiot, full of sound and fury,\nSignifying nothing.\n\nKING HENRY V:\nOnce more unto the "
    "breach, dear friends, once more;\nOr close the wall up with our English dead.\nIn peace "
    "there's nothing so becomes a man\nAs modest stillness and humility:\nBut when the blast of "
    "war blows in our ears,\nThen imitate the action of the tiger;\nStiffen the sinews, summon up "
    "the blood,\nDisguise fair nature with hard-favour'd rage;\nThen lend the eye a terrible "
    "aspect;\nLet pry through the portage of the head\nLike the brass cannon; let the brow "
    "o'erwhelm it\nAs fearfully as doth a galled rock\nO'erhang and jutty his confounded "
    "base,\nSwill'd with the wild and wasteful ocean.\n\nPORTIA:\nThe quality of mercy is not "
    "strain'd,\nIt droppeth as the gentle rain from heaven\nUpon the place beneath: it is twice "
    "blest;\nIt blesseth him that gives and him that takes:\n'Tis mightiest in the mightiest: it "
    "becomes\nThe throned monarch better than his crown;\nHis sceptre shows the force of temporal "
    "power,\nThe attribute to awe and majesty,\nWherein doth sit the dread and fear of kings;\nBut "
    "mercy is above this sceptred sway;\nIt is enthroned in the hearts of kings,\n";

/* What differs from the defaults of shoal_request_default; a prompt is n_prompt tokens of the text
 * from `from` on. */
struct cut {
    int32_t from, n_prompt, max_tokens;
    float temperature;
    int32_t top_k;
    float top_p, min_p, repetition, presence, frequency;
    int32_t seed; /* 0: from the request's id */
    int32_t n;
    int32_t prompt_logprobs; /* k + 1; 0: none */
    int32_t priority, min_tokens;
    bool has_bias, has_stop, may_end;
};

/* Two of 156 tokens come first: together they grow out of a small pool at any block size. Cuts
 * begin at multiples of 32, so that the same block of tokens stands behind different beginnings: a
 * prefix cache must not take one for the other. */
static const struct cut cuts[MATRIX_REQUESTS] = {
    {.from = 0, .n_prompt = 156, .max_tokens = 24},
    {.from = 608, .n_prompt = 156, .max_tokens = 24},
    {.from = 0, .n_prompt = 1, .max_tokens = 8, .temperature = 1, .seed = 1},
    {.from = 192, .n_prompt = 156, .max_tokens = 24, .temperature = 0.8f, .priority = 2},
    {.from = 384, .n_prompt = 156, .max_tokens = 24, .repetition = 1.3f},
    {.from = 0, .n_prompt = 64, .max_tokens = 5, .priority = 1},
    {.from = 0, .n_prompt = 65, .max_tokens = 6, .temperature = 1.5f, .top_k = 40},
    {.from = 0, .n_prompt = 100, .max_tokens = 12, .temperature = 0.9f, .top_p = 0.9f, .n = 2},
    {.from = 0, .n_prompt = 33, .max_tokens = 3, .prompt_logprobs = 6, .priority = 1},
    {.from = 96, .n_prompt = 296, .max_tokens = 24, .temperature = 0.7f, .min_p = 0.05f, .n = 2},
    {.from = 0, .n_prompt = 200, .max_tokens = 7, .seed = 7, .temperature = 1},
    {.from = 32, .n_prompt = 2, .max_tokens = 1},
    {.from = 32, .n_prompt = 17, .max_tokens = 9, .presence = 1.5f, .frequency = 0.5f},
    {.from = 32, .n_prompt = 16, .max_tokens = 10, .temperature = 1, .has_bias = true},
    {.from = 32, .n_prompt = 15, .max_tokens = 20, .temperature = 1.2f, .seed = 5, .n = 2},
    {.from = 32, .n_prompt = 129, .max_tokens = 4, .prompt_logprobs = 1},
    {.from = 288, .n_prompt = 245, .max_tokens = 22, .priority = -1},
    {.from = 7, .n_prompt = 1, .max_tokens = 24, .repetition = 1.1f, .presence = -0.5f},
    {.from = 32, .n_prompt = 31, .max_tokens = 16, .temperature = 1, .has_stop = true},
    {.from = 32, .n_prompt = 32, .max_tokens = 11, .has_bias = true, .prompt_logprobs = 3},
    {.from = 0, .n_prompt = 128, .max_tokens = 2, .temperature = 2, .top_k = 3, .top_p = 0.5f},
    {.from = 480, .n_prompt = 63, .max_tokens = 13, .may_end = true, .min_tokens = 6},
    {.from = 480, .n_prompt = 3, .max_tokens = 18, .temperature = 1, .frequency = 1},
    {.from = 0,
     .n_prompt = 48,
     .max_tokens = 14,
     .temperature = 0.6f,
     .n = 2,
     .prompt_logprobs = 2},
    {.from = 512,
     .n_prompt = 5,
     .max_tokens = 15,
     .temperature = 1,
     .top_p = 0.3f,
     .may_end = true},
    {.from = 0, .n_prompt = 7, .max_tokens = 6, .has_stop = true, .min_tokens = 2},
    {.from = 320, .n_prompt = 80, .max_tokens = 17, .temperature = 1, .min_p = 0.3f, .seed = 9},
    {.from = 0, .n_prompt = 9, .max_tokens = 1, .temperature = 1, .prompt_logprobs = 6},
    {.from = 32, .n_prompt = 47, .max_tokens = 19, .priority = -2},
    {.from = 320, .n_prompt = 80, .max_tokens = 8, .temperature = 1, .seed = 10},
    {.from = 640, .n_prompt = 11, .max_tokens = 21, .temperature = 0.01f},
    {.from = 0, .n_prompt = 156, .max_tokens = 3, .temperature = 1, .priority = -1},
};

const char *matrix_text(void)
{
    return text_of_plays;
}

void matrix_request(int32_t i, const int32_t text[], int32_t n_text, struct shoal_request *out)
{
    static const char *const names[MATRIX_REQUESTS] = {
        "r0",  "r1",  "r2",  "r3",  "r4",  "r5",  "r6",  "r7",  "r8",  "r9",  "r10",
        "r11", "r12", "r13", "r14", "r15", "r16", "r17", "r18", "r19", "r20", "r21",
        "r22", "r23", "r24", "r25", "r26", "r27", "r28", "r29", "r30", "r31"};
    static const int32_t bias_ids[] = {10, 11, 40, 97};
    static const float bias_values[] = {-100, 2.5f, 1.25f, -3};
    static const char *const stops[] = {"e", "to the"};
    const struct cut *c = &cuts[i];
    const int32_t last = n_text - c->n_prompt;

    shoal_request_default(out);
    out->id = names[i];
    out->prompt_ids = text + (c->from < last ? c->from : last);
    out->n_prompt_ids = c->n_prompt;
    out->max_tokens = c->max_tokens;
    out->min_tokens = c->min_tokens;
    out->temperature = c->temperature;
    out->top_k = c->top_k;
    out->top_p = c->top_p > 0 ? c->top_p : 1;
    out->min_p = c->min_p;
    out->repetition_penalty = c->repetition > 0 ? c->repetition : 1;
    out->presence_penalty = c->presence;
    out->frequency_penalty = c->frequency;
    out->has_seed = c->seed > 0;
    out->seed = (uint64_t)c->seed;
    out->n = c->n > 0 ? c->n : 1;
    out->logprobs = MATRIX_LOGPROBS;
    out->prompt_logprobs = c->prompt_logprobs - 1;
    out->priority = c->priority;
    out->ignore_eos = !c->may_end;
    if (c->has_bias) {
        out->bias_ids = bias_ids;
        out->bias_values = bias_values;
        out->n_bias = sizeof bias_ids / sizeof *bias_ids;
    }
    if (c->has_stop) {
        out->stop = stops;
        out->n_stop = sizeof stops / sizeof *stops;
    }
}
