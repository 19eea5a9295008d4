/* SPDX-License-Identifier: Apache-2.0 */
/* The store's own promises, on a directory of its own; what archives do to it is tests/cli's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the headers above */
#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/collect.h"
#include "store/layout.h"
#include "store/names.h"

#define DIFF_ID "sha256:00000000000000000000000000000000000000000000000000000000000000aa"
#define ORPHAN "00000000000000000000000000000000000000000000000000000000000000bb"

struct fixture {
    char path[64];
    struct store store;
};

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    snprintf(f->path, sizeof f->path, "/tmp/caisson-store.XXXXXX");
    assert_non_null(mkdtemp(f->path));
    assert_int_equal(store_open(f->path, &f->store, NULL), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    store_close(&f->store);
    assert_int_equal(remove_tree_at(AT_FDCWD, f->path, NULL), 0);
    free(f);
    return 0;
}

static void put_blob(struct store *store, const struct buf *text, char digest[DIGEST_MAX])
{
    char hex[SHA256_HEX], path[STORE_PATH_MAX];
    sha256_hex(text->data, text->len, hex);
    snprintf(digest, DIGEST_MAX, "sha256:%s", hex);
    layout_path(path, BLOBS_DIR, hex);
    int fd = openat(store->root_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write_all(fd, text->data, text->len), 0);
    close(fd);
}

static void put_layer(struct store *store, const char *hex)
{
    char path[STORE_PATH_MAX];
    layout_path(path, LAYERS_DIR, hex);
    (void)mkdirat(store->root_fd, path, 0700);
    snprintf(path, sizeof path, LAYERS_DIR "/%s/fs", hex);
    (void)mkdirat(store->root_fd, path, 0755);
    snprintf(path, sizeof path, LAYERS_DIR "/%s/size", hex);
    int fd = openat(store->root_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(write_all(fd, "7\n", 2), 0);
    close(fd);
}

/* An image of one layer, which `user` makes different from others. */
static void put_image(struct store *store, const char *user, const char *name, char id[DIGEST_MAX],
                      char manifest[DIGEST_MAX])
{
    autobuf config = {0}, document = {0};
    autostaging staging = {0};
    char replaced[DIGEST_MAX];
    buf_fmt(&config,
            "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"User\":\"%s\"},\"rootfs\":{"
            "\"type\":\"layers\",\"diff_ids\":[\"" DIFF_ID "\"]}}",
            user);
    put_blob(store, &config, id);
    buf_fmt(&document,
            "{\"schemaVersion\":2,\"config\":{\"digest\":\"%s\",\"size\":%zu},\"layers\":[{"
            "\"digest\":\"" DIFF_ID "\",\"size\":1}]}",
            id, config.len);
    put_blob(store, &document, manifest);
    put_layer(store, digest_hex(DIFF_ID));
    assert_int_equal(staging_open(store, &staging, NULL), 0);
    assert_int_equal(names_stage_id(&staging, manifest, id, NULL), 0);
    assert_int_equal(names_publish_id(&staging, id, NULL), 0);
    if (name) {
        assert_int_equal(names_stage(&staging, name, manifest, id, "", NULL), 0);
        assert_int_equal(names_publish(&staging, name, id, replaced, NULL), 0);
    }
}

static int resolve(struct store *store, const char *text, char id[DIGEST_MAX], struct error *err)
{
    autoimage image = {0};
    int rc = store_resolve(store, text, &image, err);
    if (rc == 0)
        memcpy(id, image.id, DIGEST_MAX);
    return rc;
}

static void an_image_is_found_by_name_id_prefix_and_digest(void **state)
{
    struct fixture *f = *state;
    char id[DIGEST_MAX], manifest[DIGEST_MAX], got[DIGEST_MAX], text[200];
    put_image(&f->store, "a", "docker.io/library/x:1", id, manifest);
    const char *const ways[] = {"x:1", "docker.io/library/x:1", id, digest_hex(id)};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        got[0] = '\0';
        assert_int_equal(resolve(&f->store, ways[i], got, NULL), 0);
        assert_string_equal(got, id);
    }
    snprintf(text, sizeof text, "%.5s", digest_hex(id));
    assert_int_equal(resolve(&f->store, text, got, NULL), 0);
    snprintf(text, sizeof text, "x@%s", manifest);
    assert_int_equal(resolve(&f->store, text, got, NULL), 0);
    snprintf(text, sizeof text, "y@%s", manifest);
    assert_int_equal(resolve(&f->store, text, got, NULL), -ENOENT);
}

static void a_name_wins_over_an_id_that_begins_like_it(void **state)
{
    struct fixture *f = *state;
    char a[DIGEST_MAX], b[DIGEST_MAX], manifest[DIGEST_MAX], got[DIGEST_MAX], name[200];
    put_image(&f->store, "a", NULL, a, manifest);
    snprintf(name, sizeof name, "docker.io/library/%.6s:latest", digest_hex(a));
    put_image(&f->store, "b", name, b, manifest);
    snprintf(name, sizeof name, "%.6s", digest_hex(a));
    assert_int_equal(resolve(&f->store, name, got, NULL), 0);
    assert_string_equal(got, b);
    assert_int_equal(resolve(&f->store, a, got, NULL), 0);
    assert_string_equal(got, a);
}

/* Seen to fail before: the archive's image had both words. */
static void a_name_cannot_take_the_place_of_an_id_as_it_is_printed(void **state)
{
    struct fixture *f = *state;
    char a[DIGEST_MAX], b[DIGEST_MAX], manifest[DIGEST_MAX], got[DIGEST_MAX], name[200];
    struct error err = {0};
    put_image(&f->store, "a", NULL, a, manifest);
    snprintf(name, sizeof name, "docker.io/library/%.12s:latest", digest_hex(a));
    put_image(&f->store, "b", name, b, manifest);
    snprintf(name, sizeof name, "%.12s", digest_hex(a));
    assert_int_equal(resolve(&f->store, name, got, &err), -EINVAL);
    assert_non_null(strstr(err.text, ":latest"));
    snprintf(name, sizeof name, "%.12s:latest", digest_hex(a));
    assert_int_equal(resolve(&f->store, name, got, NULL), 0);
    assert_string_equal(got, b);
    snprintf(name, sizeof name, "%.13s", digest_hex(a));
    assert_int_equal(resolve(&f->store, name, got, NULL), 0);
    assert_string_equal(got, a);
    /* One image by both ways is no question. */
    snprintf(name, sizeof name, "docker.io/library/%.9s:latest", digest_hex(a));
    put_image(&f->store, "a", name, a, manifest);
    snprintf(name, sizeof name, "%.9s", digest_hex(a));
    assert_int_equal(resolve(&f->store, name, got, NULL), 0);
    assert_string_equal(got, a);
}

/* Seen to fail before: a record filed under the name with its digest was believed. */
static void a_digest_is_compared_and_never_believed(void **state)
{
    struct fixture *f = *state;
    char id[DIGEST_MAX], manifest[DIGEST_MAX], got[DIGEST_MAX], name[200];
    static const char *const wanted = "x@" DIFF_ID, *const tagged = "x:1@" DIFF_ID;
    put_image(&f->store, "a", "docker.io/library/x@" DIFF_ID, id, manifest);
    put_image(&f->store, "a", "docker.io/library/x:1@" DIFF_ID, id, manifest);
    assert_int_equal(resolve(&f->store, wanted, got, NULL), -ENOENT);
    assert_int_equal(resolve(&f->store, tagged, got, NULL), -ENOENT);
    put_image(&f->store, "a", "docker.io/library/x:1", id, manifest);
    assert_int_equal(resolve(&f->store, tagged, got, NULL), -ENOENT);
    snprintf(name, sizeof name, "x:1@%s", manifest);
    assert_int_equal(resolve(&f->store, name, got, NULL), 0);
    assert_string_equal(got, id);
}

static void what_is_not_there_and_what_is_ambiguous_is_told_apart(void **state)
{
    struct fixture *f = *state;
    char id[DIGEST_MAX], manifest[DIGEST_MAX], got[DIGEST_MAX], user[20], prefix[2] = "";
    struct error err = {0};
    assert_int_equal(resolve(&f->store, "nothing", got, &err), -ENOENT);
    assert_non_null(strstr(err.text, "no such image: nothing"));
    assert_int_equal(resolve(&f->store, "No/Name", got, &err), -EINVAL);
    bool seen[128] = {false};
    for (int i = 0; !prefix[0]; i++) { /* of 17 ids two begin alike */
        snprintf(user, sizeof user, "user%d", i);
        put_image(&f->store, user, NULL, id, manifest);
        int first = digest_hex(id)[0];
        if (seen[first])
            prefix[0] = (char)first;
        seen[first] = true;
    }
    assert_int_equal(resolve(&f->store, prefix, got, &err), -EINVAL);
    assert_non_null(strstr(err.text, "more of its digits"));
}

static void damage_is_noticed_and_named(void **state)
{
    struct fixture *f = *state;
    char id[DIGEST_MAX], manifest[DIGEST_MAX], got[DIGEST_MAX], path[STORE_PATH_MAX];
    struct error err = {0};
    put_image(&f->store, "a", "docker.io/library/x:1", id, manifest);
    layout_path(path, BLOBS_DIR, digest_hex(id));
    int fd = openat(f->store.root_fd, path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, " ", 1, 1), 1);
    close(fd);
    assert_int_equal(resolve(&f->store, "x:1", got, &err), -EBADMSG);
    assert_non_null(strstr(err.text, id));
    assert_non_null(strstr(err.text, "rmi"));
    put_image(&f->store, "a", "docker.io/library/x:1", id, manifest);
    snprintf(path, sizeof path, LAYERS_DIR "/%s", digest_hex(DIFF_ID));
    assert_int_equal(remove_tree_at(f->store.root_fd, path, NULL), 0);
    assert_int_equal(resolve(&f->store, "x:1", got, &err), -EBADMSG);
    assert_non_null(strstr(err.text, DIFF_ID));
    layout_path(path, IMAGES_DIR, "docker.io%2Flibrary%2Fx:1");
    fd = openat(f->store.root_fd, path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    close(fd);
    assert_int_equal(resolve(&f->store, "x:1", got, &err), -EBADMSG);
    assert_non_null(strstr(err.text, path));
}

static void names_longer_than_file_names_are_kept_apart(void **state)
{
    struct fixture *f = *state;
    char id[DIGEST_MAX], other[DIGEST_MAX], manifest[DIGEST_MAX], got[DIGEST_MAX];
    char a[300], b[300];
    memset(a, 'a', sizeof a);
    memcpy(a, "localhost/", 10);
    memcpy(a + 250, ":1", 3);
    memcpy(b, a, sizeof b);
    b[251] = '2';
    put_image(&f->store, "a", a, id, manifest);
    put_image(&f->store, "b", b, other, manifest);
    assert_int_equal(resolve(&f->store, a, got, NULL), 0);
    assert_string_equal(got, id);
    assert_int_equal(resolve(&f->store, b, got, NULL), 0);
    assert_string_equal(got, other);
}

static void a_listing_has_every_image_with_all_its_names(void **state)
{
    struct fixture *f = *state;
    char a[DIGEST_MAX], b[DIGEST_MAX], manifest[DIGEST_MAX];
    struct image_entry *entries = NULL;
    size_t count = 0;
    put_image(&f->store, "a", "docker.io/library/x:2", a, manifest);
    put_image(&f->store, "a", "docker.io/library/x:1", a, manifest);
    put_image(&f->store, "b", NULL, b, manifest);
    assert_int_equal(store_list(&f->store, &entries, &count, NULL), 0);
    assert_int_equal(count, 2);
    const struct image_entry *named = streq(entries[0].id, a) ? &entries[0] : &entries[1];
    assert_int_equal(named->names.len, 2);
    assert_string_equal(named->names.items[0], "docker.io/library/x:1");
    assert_int_equal(entries[named == entries].names.len, 0);
    image_entries_free(entries, count);
}

static bool there(struct store *store, const char *directory, const char *file)
{
    char path[STORE_PATH_MAX];
    layout_path(path, directory, file);
    return faccessat(store->root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int collect(struct fixture *f, struct collected *gone, struct error *err)
{
    autousers users = {0};
    autofree char *state = xasprintf("%s/state", f->path);
    int rc = store_users(&f->store, state, &users, err);
    return rc < 0 ? rc : store_collect(&f->store, &users, gone, err);
}

static void a_collection_takes_what_nothing_names_and_no_more(void **state)
{
    struct fixture *f = *state;
    autocollected gone = {0};
    char a[DIGEST_MAX], b[DIGEST_MAX], manifest[DIGEST_MAX], dangling[DIGEST_MAX];
    put_image(&f->store, "a", "docker.io/library/x:1", a, manifest);
    put_image(&f->store, "b", NULL, b, dangling);
    put_layer(&f->store, ORPHAN);
    assert_int_equal(mkdirat(f->store.root_fd, SKELETONS_DIR "/" ORPHAN, 0700), 0);
    assert_int_equal(collect(f, &gone, NULL), 0);
    assert_int_equal(gone.layers.len, 1);
    assert_int_equal(gone.bytes, 7);
    assert_false(there(&f->store, LAYERS_DIR, ORPHAN));
    assert_false(there(&f->store, SKELETONS_DIR, ORPHAN));
    assert_true(there(&f->store, BLOBS_DIR, digest_hex(manifest)));
    assert_true(there(&f->store, BLOBS_DIR, digest_hex(dangling)));
    assert_true(there(&f->store, LAYERS_DIR, digest_hex(DIFF_ID)));
}

static void a_container_keeps_its_image_and_those_mounted_in_it(void **state)
{
    struct fixture *f = *state;
    char id[DIGEST_MAX], manifest[DIGEST_MAX], other[DIGEST_MAX], others[DIGEST_MAX], file[100];
    put_image(&f->store, "a", NULL, id, manifest);
    put_image(&f->store, "b", NULL, other, others);
    assert_int_equal(store_forget(&f->store, id, NULL), 0);
    assert_int_equal(store_forget(&f->store, other, NULL), 0);
    snprintf(file, sizeof file, "%s/containers/c1", f->path);
    assert_int_equal(make_directories(file, 0700, NULL), 0);
    autobuf text = {0};
    buf_fmt(&text, "%s\n%s\n%s\n%s\n", id, manifest, other, others);
    int fd = openat(f->store.root_fd, "containers/c1/image", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write_all(fd, text.data, text.len), 0);
    close(fd);
    autocollected gone = {0};
    assert_int_equal(collect(f, &gone, NULL), 0);
    assert_true(there(&f->store, LAYERS_DIR, digest_hex(DIFF_ID)));
    assert_true(there(&f->store, BLOBS_DIR, digest_hex(id)));
    assert_true(there(&f->store, BLOBS_DIR, digest_hex(other)));
    assert_int_equal(remove_tree_at(f->store.root_fd, "containers/c1", NULL), 0);
    assert_int_equal(collect(f, &gone, NULL), 0);
    assert_false(there(&f->store, LAYERS_DIR, digest_hex(DIFF_ID)));
    assert_false(there(&f->store, BLOBS_DIR, digest_hex(id)));
}

static void nothing_is_swept_when_something_cannot_be_read(void **state)
{
    struct fixture *f = *state;
    char id[DIGEST_MAX], manifest[DIGEST_MAX], path[STORE_PATH_MAX];
    struct error err = {0};
    autocollected gone = {0};
    put_image(&f->store, "a", "docker.io/library/x:1", id, manifest);
    put_layer(&f->store, ORPHAN);
    layout_path(path, BLOBS_DIR, digest_hex(manifest));
    assert_int_equal(unlinkat(f->store.root_fd, path, 0), 0);
    assert_true(collect(f, &gone, &err) < 0);
    assert_non_null(strstr(err.text, "nothing was cleaned up"));
    assert_true(there(&f->store, LAYERS_DIR, ORPHAN));
}

static void entries_of_dead_writers_go_and_those_of_living_stay(void **state)
{
    struct fixture *f = *state;
    autostaging living = {0}, next = {0};
    assert_int_equal(staging_open(&f->store, &living, NULL), 0);
    pid_t child = fork();
    if (child == 0) {
        struct staging dying = {0};
        _exit(staging_open(&f->store, &dying, NULL) == 0 &&
                      staging_write(&dying, "half", "x", 1, NULL) == 0
                  ? 0
                  : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    autostrv entries = {0};
    assert_int_equal(layout_list(&f->store, TMP_DIR, &entries, NULL), 0);
    assert_int_equal(entries.len, 2);
    assert_int_equal(staging_open(&f->store, &next, NULL), 0);
    strv_free(&entries);
    assert_int_equal(layout_list(&f->store, TMP_DIR, &entries, NULL), 0);
    assert_int_equal(entries.len, 2);
    assert_true(strv_has(&entries, living.name));
    assert_true(strv_has(&entries, next.name));
}

static void a_collector_waits_for_whoever_uses_images(void **state)
{
    struct fixture *f = *state;
    autostore other = {0};
    assert_int_equal(store_open(f->path, &other, NULL), 0);
    assert_int_equal(store_lock(&f->store, LOCK_SH, NULL), 0);
    assert_int_equal(store_lock(&other, LOCK_SH | LOCK_NB, NULL), 0);
    assert_int_equal(store_lock(&other, LOCK_EX | LOCK_NB, NULL), -EWOULDBLOCK);
    store_unlock(&f->store);
    assert_int_equal(store_lock(&other, LOCK_EX | LOCK_NB, NULL), 0);
}

static void a_root_that_others_can_write_to_is_refused(void **state)
{
    struct fixture *f = *state;
    struct store again;
    struct error err = {0};
    assert_int_equal(chmod(f->path, 0777), 0);
    assert_int_equal(store_open(f->path, &again, &err), -EPERM);
    assert_non_null(strstr(err.text, f->path));
    assert_int_equal(chmod(f->path, 0700), 0);
}

int main(void)
{
#define EACH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        EACH(an_image_is_found_by_name_id_prefix_and_digest),
        EACH(a_name_cannot_take_the_place_of_an_id_as_it_is_printed),
        EACH(a_digest_is_compared_and_never_believed),
        EACH(a_name_wins_over_an_id_that_begins_like_it),
        EACH(what_is_not_there_and_what_is_ambiguous_is_told_apart),
        EACH(damage_is_noticed_and_named),
        EACH(names_longer_than_file_names_are_kept_apart),
        EACH(a_listing_has_every_image_with_all_its_names),
        EACH(a_collection_takes_what_nothing_names_and_no_more),
        EACH(a_container_keeps_its_image_and_those_mounted_in_it),
        EACH(nothing_is_swept_when_something_cannot_be_read),
        EACH(entries_of_dead_writers_go_and_those_of_living_stay),
        EACH(a_collector_waits_for_whoever_uses_images),
        EACH(a_root_that_others_can_write_to_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
