/* The same program for one rank without mpirun and for any number of ranks under it. Every test is
 * run by all ranks together; a test that fails on one rank leaves the others waiting, until the
 * time limit of mpirun ends them. */
#include "base/env_rank.h"
#include "comm/comm.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/status.h"

#include "support/suite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mpi.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static struct comm *comm;

static int32_t size_by_launcher(void)
{
    const char *size = getenv("OMPI_COMM_WORLD_SIZE");

    return size ? (int32_t)atoi(size) : 1;
}

/* What byte i of message number key is. */
static unsigned char byte_of(uint64_t key, size_t i)
{
    return (unsigned char)(rng_mix(key * 1000003 + i / 8) >> (i % 8 * 8));
}

static void fill(unsigned char *bytes, size_t n, uint64_t key)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = byte_of(key, i);
}

static void check(const unsigned char *bytes, size_t n, uint64_t key)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != byte_of(key, i))
            ck_abort_msg("byte %zu of %zu of message %llu is %d", i, n, (unsigned long long)key,
                         bytes[i]);
}

static void ok(enum shoal_status status, const struct shoal_error *err)
{
    ck_assert_msg(status == SHOAL_OK, "%s", err->text);
}

static size_t wait_for(struct comm_request *r)
{
    struct comm_backoff backoff = comm_backoff_begin(comm);
    size_t n = 0;

    while (!comm_test(r, &n))
        comm_backoff_wait(&backoff);
    return n;
}

static int open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int n = 0;

    while (readdir(folder))
        n++;
    closedir(folder);
    return n;
}

START_TEST(opened_as_started)
{
    int is_initialized = 0;
    char version[64];

    ck_assert_int_eq(comm_size(comm), size_by_launcher());
    ck_assert(comm_rank(comm) >= 0 && comm_rank(comm) < comm_size(comm));
    ck_assert_int_eq(env_rank(), comm_rank(comm));
    ck_assert_int_eq(comm_node_size(comm), comm_size(comm));
    ck_assert_int_eq(comm_node_rank(comm), comm_rank(comm));
    MPI_Initialized(&is_initialized);
    ck_assert_int_eq(is_initialized, comm_under_mpirun());

    comm_library_version(version, sizeof version);
    ck_assert_ptr_nonnull(strstr(version, "MPI"));
    ck_assert_ptr_null(strchr(version, ','));
    comm_library_version(version, 4);
    ck_assert_uint_le(strlen(version), 3);
}
END_TEST

START_TEST(launchers)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"};
    char *kept[3];

    for (int i = 0; i < 3; i++) {
        kept[i] = getenv(names[i]) ? mem_strdup(getenv(names[i])) : NULL;
        unsetenv(names[i]);
    }
    ck_assert(!comm_under_mpirun());
    for (int i = 0; i < 3; i++) {
        setenv(names[i], "0", 1);
        ck_assert_msg(comm_under_mpirun(), "%s", names[i]);
        unsetenv(names[i]);
    }
    for (int i = 0; i < 3; i++) {
        if (kept[i])
            setenv(names[i], kept[i], 1);
        mem_free(kept[i]);
    }
}
END_TEST

START_TEST(agree_on_the_worst)
{
    const int32_t me = comm_rank(comm), n = comm_size(comm);
    struct shoal_error err;

    ck_assert_int_eq(comm_agree(comm, SHOAL_OK, NULL), SHOAL_OK);
    for (int32_t who = 0; who < n; who++) {
        enum shoal_status mine = SHOAL_OK;

        if (me == who)
            mine = shoal_fail(&err, SHOAL_E_FORMAT, "it cannot be read");
        ck_assert_int_eq(comm_agree(comm, mine, &err), SHOAL_E_FORMAT);
        ck_assert_int_eq(err.status, SHOAL_E_FORMAT);
        char expected[64] = "it cannot be read";
        if (who > 0)
            snprintf(expected, sizeof expected, "rank %d: it cannot be read", who);
        ck_assert_str_eq(err.text, expected);
    }
    /* All fail: the last one worst, or all alike. */
    shoal_fail(&err, SHOAL_E_IO, "mine is %d", me);
    ck_assert_int_eq(comm_agree(comm, SHOAL_E_IO, &err), SHOAL_E_IO);
    ck_assert_str_eq(err.text, "mine is 0");
    enum shoal_status mine = me == n - 1 ? SHOAL_E_INTERNAL : SHOAL_E_IO;
    char expected[64];

    shoal_fail(&err, mine, "mine is %d", me);
    ck_assert_int_eq(comm_agree(comm, mine, &err), SHOAL_E_INTERNAL);
    if (n == 1)
        snprintf(expected, sizeof expected, "mine is 0");
    else
        snprintf(expected, sizeof expected, "rank %d: mine is %d", n - 1, n - 1);
    ck_assert_str_eq(err.text, expected);

    /* Without a sentence the name of the status stands for it. */
    ck_assert_int_eq(comm_agree(comm, me == 0 ? SHOAL_E_LIMIT : SHOAL_OK, me == 0 ? NULL : &err),
                     SHOAL_E_LIMIT);
    if (me > 0)
        ck_assert_str_eq(err.text, shoal_status_name(SHOAL_E_LIMIT));
}
END_TEST

START_TEST(broadcast_sizes)
{
    static const size_t sizes[] = {0, 1, 1000, 65537, (64 << 20) + 5};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *bytes = mem_new(sizes[i] + 1, 1);
        struct shoal_error err;

        ck_assert_ptr_nonnull(bytes);
        if (comm_rank(comm) == 0)
            fill(bytes, sizes[i], i);
        bytes[sizes[i]] = 0xcd;
        ok(comm_broadcast(comm, bytes, sizes[i], &err), &err);
        check(bytes, sizes[i], i);
        ck_assert_uint_eq(bytes[sizes[i]], 0xcd);
        mem_free(bytes);
    }
}
END_TEST

START_TEST(equal_or_who_differs)
{
    const int32_t me = comm_rank(comm), n = comm_size(comm);
    struct shoal_error err;
    unsigned char bytes[100];
    bool equal = false;
    int32_t which = 99;

    fill(bytes, sizeof bytes, 7);
    ok(comm_all_equal(comm, bytes, sizeof bytes, &equal, &which, &err), &err);
    ck_assert(equal && which == -1);
    ok(comm_all_equal(comm, NULL, 0, &equal, &which, &err), &err);
    ck_assert(equal && which == -1);
    for (int32_t who = 0; who < n; who++) {
        /* Rank 0 is what the others are held against: when it is the odd one, rank 1 differs. */
        const int32_t expected = n == 1 ? -1 : who == 0 ? 1 : who;

        bytes[99] ^= me == who;
        ok(comm_all_equal(comm, bytes, sizeof bytes, &equal, &which, &err), &err);
        bytes[99] ^= me == who;
        ck_assert_int_eq(equal, n == 1);
        ck_assert_int_eq(which, expected);
        /* The same bytes, but one rank has fewer of them. */
        ok(comm_all_equal(comm, bytes, sizeof bytes - (me == who), &equal, &which, &err), &err);
        ck_assert_int_eq(equal, n == 1);
        ck_assert_int_eq(which, expected);
    }
}
END_TEST

START_TEST(gather_in_rank_order)
{
    static const size_t sizes[] = {0, 1, 24, 5000, 300001};
    const int32_t me = comm_rank(comm), n_ranks = comm_size(comm);
    struct shoal_error err;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const size_t n = sizes[i];
        unsigned char *mine = mem_new(n, 1);
        unsigned char *all = me == 0 ? mem_new(n, (size_t)n_ranks) : NULL;

        fill(mine, n, (uint64_t)me);
        ok(comm_gather(comm, mine, n, all, &err), &err);
        for (int32_t rank = 0; me == 0 && rank < n_ranks; rank++)
            check(all + n * (size_t)rank, n, (uint64_t)rank);
        mem_free(mine);
        mem_free(all);
    }
    ck_assert_int_eq(comm_gather(comm, NULL, (size_t)1 << 31, NULL, &err), SHOAL_E_LIMIT);
}
END_TEST

START_TEST(ping_pong)
{
    enum { MAX_BYTES = 3000000, ROUNDS = 60 };
    static const size_t sizes[] = {0, 1, 8, 4095, 4096, 4097, 65536, 1 << 20, MAX_BYTES};
    const size_t n_sizes = sizeof sizes / sizeof *sizes;
    const int32_t me = comm_rank(comm), n_ranks = comm_size(comm);
    const int32_t to = (me + 1) % n_ranks, from = (me + n_ranks - 1) % n_ranks;
    unsigned char *out = mem_new(MAX_BYTES, 1), *in = mem_new(MAX_BYTES + 1, 1);
    struct rng rng = {.state = 11}; /* the same sizes on all ranks */

    for (size_t i = 0; i < n_sizes + ROUNDS; i++) {
        const size_t n = i < n_sizes ? sizes[i] : rng_below(&rng, MAX_BYTES + 1) >> i % 20;
        struct comm_request send, receive;
        struct shoal_error err;

        /* Sent before and after the receive is there. */
        const bool receive_first = rng_next(&rng) & 1;

        fill(out, n, i * 100 + (uint64_t)me);
        memset(in, 0xcd, n + 1);
        if (receive_first)
            ok(comm_receive(comm, from, 5, in, MAX_BYTES, &receive, &err), &err);
        ok(comm_send(comm, to, 5, out, n, &send, &err), &err);
        if (!receive_first)
            ok(comm_receive(comm, from, 5, in, n, &receive, &err), &err);
        ck_assert_uint_eq(wait_for(&receive), n);
        ck_assert_uint_eq(wait_for(&send), 0);
        check(in, n, i * 100 + (uint64_t)from);
        ck_assert_uint_eq(in[n], 0xcd);
        size_t again = 99;
        ck_assert(comm_test(&receive, &again) && again == 0);
    }
    mem_free(out);
    mem_free(in);
}
END_TEST

/* Every rank to every rank and itself, many at once, some large, tested in random order: more than
 * the pool holds at first. */
START_TEST(many_under_way)
{
    enum { MESSAGES = 90, TAGS = 3, BYTES = 20000 };
    const int32_t me = comm_rank(comm), n_ranks = comm_size(comm);
    const int32_t n = n_ranks * MESSAGES;
    struct comm_request *requests = mem_new((size_t)n * 2, sizeof *requests);
    unsigned char *out = mem_new((size_t)n, BYTES), *in = mem_new((size_t)n, BYTES);
    int32_t *order = mem_new((size_t)n * 2, sizeof *order);
    struct shoal_error err;

    for (int seed = 0; seed < 3; seed++) {
        struct rng rng = {.state = (uint64_t)(seed * 1000 + me)};

        for (int32_t i = 0; i < n * 2; i++) {
            const int32_t j = (int32_t)rng_below(&rng, (uint32_t)i + 1);

            order[i] = order[j];
            order[j] = i;
        }
        for (int32_t i = 0; i < n; i++) {
            /* Number k between two ranks: its tag, its size and its bytes follow from that. */
            const int32_t peer = i % n_ranks, k = i / n_ranks;
            const size_t n_bytes = k % 9 == 0 ? BYTES : (size_t)(k * 7 % 64);
            const uint64_t key = (uint64_t)((me * n_ranks + peer) * MESSAGES + k);

            fill(out + (size_t)i * BYTES, n_bytes, key);
            ok(comm_send(comm, peer, k % TAGS, out + (size_t)i * BYTES, n_bytes, &requests[i],
                         &err),
               &err);
            ok(comm_receive(comm, peer, k % TAGS, in + (size_t)i * BYTES, BYTES, &requests[n + i],
                            &err),
               &err);
        }
        for (int32_t n_left = n * 2; n_left > 0;) {
            const int32_t at = (int32_t)rng_below(&rng, (uint32_t)n_left), i = order[at];
            const int32_t peer = (i - n) % n_ranks, k = (i - n) / n_ranks;
            size_t n_bytes;

            if (!comm_test(&requests[i], &n_bytes))
                continue;
            order[at] = order[--n_left];
            order[n_left] = i;
            if (i < n)
                continue;
            ck_assert_uint_eq(n_bytes, k % 9 == 0 ? BYTES : (size_t)(k * 7 % 64));
            check(in + (size_t)(i - n) * BYTES, n_bytes,
                  (uint64_t)((peer * n_ranks + me) * MESSAGES + k));
        }
    }
    mem_free(requests);
    mem_free(out);
    mem_free(in);
    mem_free(order);
}
END_TEST

/* Receives posted for two tags in the other order than they are sent, and cancelled between. */
START_TEST(cancel_and_tags)
{
    const int32_t me = comm_rank(comm), n_ranks = comm_size(comm);
    const int32_t to = (me + 1) % n_ranks, from = (me + n_ranks - 1) % n_ranks;
    struct comm_request never[4], receive[4], send[4];
    uint32_t in[4] = {0}, given_up = 0, out[4];
    struct shoal_error err;
    size_t n;

    for (int i = 0; i < 4; i++)
        ok(comm_receive(comm, from, i < 2 ? 30 : 31, &given_up, 4, &never[i], &err), &err);
    for (int i = 0; i < 4; i++)
        ck_assert(!comm_test(&never[i], &n));
    comm_cancel(&never[1]);
    comm_cancel(&never[3]);
    comm_cancel(&never[2]);
    comm_cancel(&never[0]);
    for (int i = 0; i < 4; i++) {
        ck_assert(comm_test(&never[i], NULL));
        comm_cancel(&never[i]);
    }
    /* All have cancelled before any sends: what was given up must not catch these. */
    ok(comm_node_barrier(comm, &err), &err);
    for (uint32_t i = 0; i < 4; i++)
        out[i] = 1000u * (uint32_t)me + i;
    for (int i = 0; i < 3; i++)
        ok(comm_send(comm, to, i < 2 ? 30 : 31, &out[i], 4, &send[i], &err), &err);
    ok(comm_receive(comm, from, 31, &in[2], 4, &receive[2], &err), &err);
    ck_assert_uint_eq(wait_for(&receive[2]), 4);
    /* The newest has been taken from behind the two older ones: the next goes behind those. */
    ok(comm_send(comm, to, 30, &out[3], 4, &send[3], &err), &err);
    for (int i = 0; i < 4; i++) {
        if (i == 2)
            continue;
        ok(comm_receive(comm, from, 30, &in[i], 4, &receive[i], &err), &err);
        ck_assert_uint_eq(wait_for(&receive[i]), 4);
    }
    for (uint32_t i = 0; i < 4; i++) {
        wait_for(&send[i]);
        ck_assert_uint_eq(in[i], 1000u * (uint32_t)from + i);
    }
    ck_assert_uint_eq(given_up, 0);
}
END_TEST

/* Expected failures: nothing is under way after them. */
START_TEST(messages_that_cannot_be)
{
    const struct {
        int32_t peer, tag;
        size_t n;
        enum shoal_status status;
        const char *text;
    } table[] = {
        {comm_size(comm), 0, 1, SHOAL_E_INVALID, "the ranks are 0 to"},
        {-1, 0, 1, SHOAL_E_INVALID, "rank -1"},
        {0, -1, 1, SHOAL_E_INVALID, "tag -1"},
        {0, 0, (size_t)1 << 31, SHOAL_E_LIMIT, "2147483648 bytes"},
    };
    struct comm_request r;
    struct shoal_error err;
    char byte = 0;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        r.handle = &r;
        ck_assert_int_eq(comm_send(comm, table[i].peer, table[i].tag, &byte, table[i].n, &r, &err),
                         table[i].status);
        ck_assert_msg(strstr(err.text, table[i].text), "%s", err.text);
        ck_assert_ptr_null(r.handle);
        if (table[i].status != SHOAL_E_INVALID)
            continue;
        r.handle = &r;
        ck_assert_int_eq(comm_receive(comm, table[i].peer, table[i].tag, &byte, 1, &r, &err),
                         table[i].status);
        ck_assert_msg(strstr(err.text, table[i].text), "%s", err.text);
        ck_assert_ptr_null(r.handle);
    }
}
END_TEST

/* In a step the pool is all there is, and no memory is taken (the guard of base/mem.h would end
 * the program); outside of it, it grows. */
START_TEST(pool_in_a_step)
{
    enum { MAX = 4096 };
    struct comm_request *requests = mem_new(MAX, sizeof *requests), more;
    enum shoal_status status = SHOAL_OK;
    struct shoal_error err;
    char byte;
    int n = 0;

    mem_step_begin("test");
    while (n < MAX) {
        status = comm_receive(comm, comm_rank(comm), 77, &byte, 1, &requests[n], &err);
        if (status)
            break;
        n++;
    }
    mem_step_end();
    ck_assert_int_eq(status, SHOAL_E_LIMIT);
    ck_assert_msg(strstr(err.text, "in a step (test)"), "%s", err.text);
    ck_assert_int_ge(n, COMM_MIN_REQUESTS + 4 * comm_size(comm));
    ok(comm_receive(comm, comm_rank(comm), 77, &byte, 1, &more, &err), &err);
    comm_cancel(&more);
    while (n > 0)
        comm_cancel(&requests[--n]);
    mem_free(requests);
}
END_TEST

/* Can the kernel write there for us? It says EFAULT where the process itself would fault. */
static bool is_writable(void *p)
{
    const int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    const ssize_t n = read(fd, p, 1);
    const bool writable = n == 1;

    ck_assert_msg(writable || errno == EFAULT, "reading /dev/zero: %s", strerror(errno));
    close(fd);
    return writable;
}

/* Mappings of shared memory that this process still has. */
static int shared_mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[4096];
    int n = 0;

    while (fgets(line, sizeof line, maps))
        n += strstr(line, "memfd:shoal-shared") != NULL;
    fclose(maps);
    return n;
}

static void share(size_t n, bool expect_private)
{
    const bool is_maker = comm_node_rank(comm) == 0 || expect_private;
    const size_t mapped = mem_mapped();
    struct comm_shared s;
    struct shoal_error err;
    unsigned char *bytes;

    ok(comm_shared_create(comm, n, &s, &err), &err);
    bytes = s.bytes;
    ck_assert_uint_eq(s.n, n);
    ck_assert_int_eq(s.is_private, expect_private);
    ck_assert_int_eq(s.is_maker, is_maker);
    ck_assert_int_eq(shared_mappings(), expect_private ? 0 : 1);
    ck_assert_uint_ge(mem_mapped(), mapped + (expect_private ? n : 0));
    ck_assert_int_eq(is_writable(bytes), is_maker);
    ck_assert(expect_private || (uintptr_t)bytes % (2 << 20) == 0);
    ck_assert(bytes[0] == 0 && bytes[n - 1] == 0);
    ok(comm_node_barrier(comm, &err), &err); /* all have seen the zeros */
    if (s.is_maker)
        fill(bytes, n, n);
    ok(comm_node_barrier(comm, &err), &err);
    check(bytes, n, n);
    comm_shared_seal(&s);
    ck_assert(!is_writable(bytes + n - 1));
    check(bytes, n, n);
    ok(comm_node_barrier(comm, &err), &err);
    comm_shared_destroy(&s);
    ck_assert_ptr_null(s.bytes);
    ck_assert_int_eq(shared_mappings(), 0);
    ck_assert_uint_eq(mem_mapped(), mapped);
    comm_shared_destroy(&s);
    ck_assert_uint_eq(mem_mapped(), mapped);
}

START_TEST(shared_memory)
{
    const int n_descriptors = open_descriptors();
    const bool one = comm_node_size(comm) == 1;

    share(1, one);
    share(4096, one);
    share((5 << 20) + 3, one);
    /* Taken back on one rank or on all, forced by any of them. */
    for (int32_t who = 0; who < comm_size(comm); who++) {
        if (comm_rank(comm) == who)
            setenv("SHOAL_NO_SHARED", "1", 1);
        share(100000, true);
        unsetenv("SHOAL_NO_SHARED");
    }
    setenv("SHOAL_NO_SHARED", "0", 1);
    share(100000, one);
    unsetenv("SHOAL_NO_SHARED");
    ck_assert_int_eq(open_descriptors(), n_descriptors);
}
END_TEST

/* One rank may open no file: whatever part it has in handing the descriptor over, all ranks fall
 * back together. The limit counts up, so that every call on the way fails once. */
START_TEST(shared_without_descriptors)
{
    const int n_descriptors = open_descriptors();
    struct rlimit kept, low;

    getrlimit(RLIMIT_NOFILE, &kept);
    for (int32_t who = 0; who < comm_size(comm) && comm_size(comm) > 1; who++)
        for (int n_more = 0; n_more < 6; n_more++) {
            struct comm_shared s;
            struct shoal_error err;
            int next = dup(0);

            ck_assert_int_ge(next, 0);
            close(next);
            low = kept;
            low.rlim_cur = (rlim_t)(next + n_more);
            if (comm_rank(comm) == who)
                setrlimit(RLIMIT_NOFILE, &low);
            const enum shoal_status status = comm_shared_create(comm, 100000, &s, &err);
            setrlimit(RLIMIT_NOFILE, &kept);
            ok(status, &err);
            bool equal;
            int32_t which;
            ok(comm_all_equal(comm, &s.is_private, sizeof s.is_private, &equal, &which, &err),
               &err);
            ck_assert_msg(equal, "rank %d differs with %d descriptors at rank %d", which, n_more,
                          who);
            /* A gap below the highest descriptor may leave a few more than n_more. */
            if (n_more == 0)
                ck_assert(s.is_private);
            comm_shared_destroy(&s);
            ck_assert_int_eq(shared_mappings(), 0);
        }
    ck_assert_int_eq(open_descriptors(), n_descriptors);
}
END_TEST

START_TEST(shared_that_cannot_be)
{
    const int32_t me = comm_rank(comm), last = comm_size(comm) - 1;
    struct comm_shared s;
    struct shoal_error err;

    ck_assert_int_eq(comm_shared_create(comm, 0, &s, &err), SHOAL_E_INVALID);
    ck_assert_ptr_null(s.bytes);
    ck_assert_int_eq(comm_shared_create(comm, SIZE_MAX, &s, &err), SHOAL_E_INVALID);
    ck_assert_int_eq(comm_shared_create(comm, (size_t)1 << 62, &s, &err), SHOAL_E_NO_MEMORY);
    if (last > 0) {
        ck_assert_int_eq(comm_shared_create(comm, me == last ? 4096 : 8192, &s, &err),
                         SHOAL_E_MISMATCH);
        ck_assert_msg(strstr(err.text, "4096 bytes and rank 0 of its machine 8192"), "%s",
                      err.text);
    }
}
END_TEST

static double cpu_seconds(void)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1e-6;
}

/* Where the machine lets ranks read each other's memory (a container may not), they read what is
 * shown, and no more. */
START_TEST(windows)
{
    enum { N = 3 << 20 };
    const int32_t me = comm_rank(comm), size = comm_size(comm);
    uint8_t *mine = malloc(N), *theirs = malloc(N);
    struct comm_window *window;
    struct shoal_error err;

    for (size_t i = 0; i < N; i++)
        mine[i] = (uint8_t)(i * 7 + i / 256 + (size_t)me);
    ok(comm_window_create(comm, mine, N, &window, &err), &err);
    for (int32_t rank = 0; rank < size && comm_window_is_open(window); rank++) {
        const size_t at = 4099, n = N - at;
        ok(comm_window_read(window, rank, at, theirs, n, &err), &err);
        size_t n_wrong = 0;
        for (size_t i = at; i < N; i++)
            n_wrong += theirs[i - at] != (uint8_t)(i * 7 + i / 256 + (size_t)rank);
        ck_assert_uint_eq(n_wrong, 0);
        ck_assert_int_eq(comm_window_read(window, rank, at, theirs, n + 1, &err), SHOAL_E_INVALID);
        ck_assert_msg(strstr(err.text, "bytes at 4099 of 3145728"), "%s", err.text);
        ck_assert_int_eq(comm_window_read(window, rank, N + 1, theirs, 0, &err), SHOAL_E_INVALID);
    }
    ck_assert_int_eq(comm_window_read(window, size, 0, theirs, 1, &err), SHOAL_E_INVALID);
    ok(comm_agree(comm, SHOAL_OK, &err), &err); /* all have read */
    comm_window_destroy(window);

    if (me == size - 1)
        setenv("SHOAL_NO_SHARED", "1", 1);
    ok(comm_window_create(comm, mine, N, &window, &err), &err);
    unsetenv("SHOAL_NO_SHARED");
    ck_assert(!comm_window_is_open(window));
    ck_assert_int_eq(comm_window_read(window, 0, 0, theirs, 1, &err), SHOAL_E_INVALID);
    comm_window_destroy(window);
    comm_window_destroy(NULL);
    free(mine);
    free(theirs);
}
END_TEST

/* Not how fast, but how idle: a second of waiting may take a twentieth of a second of processor
 * time, where spinning would take all of it. */
START_TEST(a_bell_that_is_out_of_reach)
{
    struct comm_bell *bell;
    struct shoal_error err;
    uint64_t about;
    int32_t rank;

    if (comm_rank(comm) > 0)
        setenv("SHOAL_NO_SHARED", "1", 1);
    ok(comm_bell_create(comm, &bell, &err), &err);
    unsetenv("SHOAL_NO_SHARED");
    if (comm_rank(comm) > 0)
        comm_bell_ring(bell, 3);
    ok(comm_agree(comm, SHOAL_OK, &err), &err);
    for (int32_t i = 0; comm_rank(comm) == 0 && i < comm_size(comm); i++)
        ck_assert_int_eq(comm_bell_reaches(bell, i), i == 0);
    if (comm_rank(comm) == 0)
        ck_assert(!comm_bell_wait(bell, 1000000, &rank, &about));
    comm_bell_destroy(bell);
}
END_TEST

START_TEST(bells)
{
    const int32_t me = comm_rank(comm), size = comm_size(comm);
    struct comm_bell *bell;
    struct shoal_error err;
    uint64_t about = 0;
    int32_t rank = -1, n_rung = 0;

    ok(comm_bell_create(comm, &bell, &err), &err);
    if (me == 0)
        ck_assert(!comm_bell_wait(bell, 1000000, &rank, &about));
    ok(comm_agree(comm, SHOAL_OK, &err), &err);
    comm_bell_ring(bell, (uint64_t)me * 1000 + 7);
    for (uint32_t seen = 0; me == 0 && n_rung < size; n_rung++) {
        ck_assert(comm_bell_reaches(bell, n_rung));
        ck_assert(comm_bell_wait(bell, (int64_t)60 * 1000000000, &rank, &about));
        ck_assert_uint_eq(about, (uint64_t)rank * 1000 + 7);
        ck_assert_uint_eq(seen >> rank & 1, 0);
        seen |= (uint32_t)1 << rank;
    }
    /* More than the socket takes: nobody is held up, and rank 0 still wakes. */
    ok(comm_agree(comm, SHOAL_OK, &err), &err);
    for (int i = 0; i < 10000; i++)
        comm_bell_ring(bell, 1);
    ok(comm_agree(comm, SHOAL_OK, &err), &err);
    if (me == 0) {
        ck_assert(comm_bell_wait(bell, 0, &rank, &about));
        while (comm_bell_wait(bell, 0, &rank, &about))
            ck_assert_uint_eq(about, 1);
    }
    ok(comm_agree(comm, SHOAL_OK, &err), &err);
    comm_bell_destroy(bell);
    comm_bell_destroy(NULL);
}
END_TEST

START_TEST(waiting_is_idle)
{
    struct comm_backoff backoff = comm_backoff_begin(comm);
    struct comm_request r;
    struct shoal_error err;
    char byte;

    ok(comm_receive(comm, comm_rank(comm), 9, &byte, 1, &r, &err), &err);
    ok(comm_node_barrier(comm, &err), &err);
    const double before = cpu_seconds();
    const int64_t until = clock_ns() + 1000000000;

    while (!comm_test(&r, NULL) && clock_ns() < until)
        comm_backoff_wait(&backoff);
    const double used = cpu_seconds() - before;

    comm_cancel(&r);
    printf("# rank %d used %.4f s in 1 s of waiting for a message\n", comm_rank(comm), used);
    ck_assert_msg(used < 0.05, "waiting for a second took %.3f s of processor time", used);
}
END_TEST

START_TEST(collectives_are_idle)
{
    const double before = cpu_seconds();
    struct shoal_error err;

    if (comm_rank(comm) == 0)
        clock_sleep_ns(1000000000);
    ok(comm_agree(comm, SHOAL_OK, &err), &err);
    const double used = cpu_seconds() - before;

    printf("# rank %d used %.4f s in 1 s of waiting for rank 0\n", comm_rank(comm), used);
    ck_assert_msg(used < 0.05, "waiting for a second took %.3f s of processor time", used);
}
END_TEST

/* The three ways of waiting follow each other, and the sleeps grow to their limit and stay. */
START_TEST(backoff_grows)
{
    struct comm_backoff spins = {0}, never = {.never_spin = true};
    int64_t last = 0;

    comm_backoff_wait(&spins);
    ck_assert_int_ne(spins.started_ns, 0);
    for (int i = 0; i < 200; i++) {
        comm_backoff_wait(&never);
        ck_assert_int_ge(never.sleep_ns, last);
        ck_assert(never.sleep_ns == 0 || (never.sleep_ns >= 20000 && never.sleep_ns <= 10000000));
        last = never.sleep_ns;
        if (last == 0)
            i--;
    }
    ck_assert_int_eq(last, 10000000);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        opened_as_started,
        launchers,
        agree_on_the_worst,
        broadcast_sizes,
        equal_or_who_differs,
        gather_in_rank_order,
        ping_pong,
        many_under_way,
        cancel_and_tags,
        messages_that_cannot_be,
        pool_in_a_step,
        shared_memory,
        shared_without_descriptors,
        shared_that_cannot_be,
        bells,
        a_bell_that_is_out_of_reach,
        windows,
        waiting_is_idle,
        collectives_are_idle,
        backoff_grows,
    };
    struct comm_request never;
    struct shoal_error err;
    char byte;

    if (comm_open(&comm, &err)) {
        log_error("%s", err.text);
        return EXIT_FAILURE;
    }
    const int result = suite_run("comm", tests, sizeof tests / sizeof *tests);

    /* Left under way on purpose: closing gives it up. */
    if (comm_receive(comm, comm_rank(comm), 1, &byte, 1, &never, &err)) {
        log_error("%s", err.text);
        return EXIT_FAILURE;
    }
    comm_close(comm);
    comm_close(NULL);
    if (comm_under_mpirun() && comm_open(&comm, &err) != SHOAL_E_UNSUPPORTED) {
        log_error("MPI began a second time");
        return EXIT_FAILURE;
    }
    return result;
}
