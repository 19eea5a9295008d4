/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes on disk, and copying trees into them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the above first. */
#include <cmocka.h>

#include <sys/file.h>
#include <sys/xattr.h>

#include "container-fixture.h"
#include "container/tree_copy.h"
#include "container/volumes.h"

static void make_volume(struct place *place, const char *name, bool anonymous)
{
    struct error err = {0};
    struct volume volume = {.anonymous = anonymous};
    snprintf(volume.name, sizeof volume.name, "%s", name);
    assert_int_equal(volume_create(&place->all, &volume, false, &err), 0);
}

static bool is_there(struct place *place, const char *below)
{
    autofree char *path = xasprintf("%s/root/volumes/%s", place->top, below);
    return access(path, F_OK) == 0;
}

/* A container with this volume, created and unlocked. */
static void make_user(struct place *place, const char *name, const char *volume, bool anonymous,
                      struct container *c)
{
    autoplan plan;
    struct error err = {0};
    make_plan(&plan, name, false);
    struct plan_mount *mount = plan_add_mount(&plan);
    mount->kind = PLAN_VOLUME;
    mount->source = xstrdup(volume);
    mount->target = xstrdup("/data");
    mount->anonymous = anonymous;
    mount->make = true;
    if (container_create(&place->all, &plan, c, &err) < 0)
        fail_msg("%s", err.text);
    container_unlock(c);
}

/* --- names --- */

static void a_name_is_never_a_path(void **state)
{
    (void)state;
    char longest[257];
    static const char *const bad[] = {"",   ".",    "..",   "a/b", "/a",   "-a", "_a",
                                      ".a", "a b",  "a\nb", "a:b", "a\\b", "ä",  "../../canary",
                                      "a,", "a\x7f"};
    static const char *const good[] = {"a", "0", "A_b.c-d", "a..b", "data-1"};
    struct error err = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(volume_check_name(bad[i], &err), -EINVAL);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(volume_check_name(good[i], &err), 0);
    memset(longest, 'x', 256);
    longest[256] = '\0';
    assert_false(volume_name_valid(longest));
    longest[255] = '\0';
    assert_true(volume_name_valid(longest));
}

static void names_that_are_paths_reach_no_file(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    struct volume volume = {.name = "../outside"};
    make_volume(place, "inside", false);
    assert_int_equal(volume_create(&place->all, &volume, false, &err), -EINVAL);
    assert_int_equal(volume_remove(&place->all, "../containers", NULL, &err), -EINVAL);
    assert_int_equal(volume_hold(&place->all, "..", &err), -EINVAL);
    assert_int_equal(volume_read(&place->all, "../names", &volume, &err), -EINVAL);
    assert_false(is_there(place, "../outside"));
    assert_true(is_there(place, "../containers"));
}

/* --- life --- */

static void what_was_made_is_read_back(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    struct volume volume = {.name = "data", .anonymous = true};
    autovolume back = {0};
    strv_add(&volume.labels, "a=b=c");
    strv_add(&volume.labels, "empty=");
    assert_int_equal(volume_create(&place->all, &volume, true, &err), 0);
    assert_int_equal(volume_read(&place->all, "data", &back, &err), 0);
    assert_string_equal(back.name, "data");
    assert_true(back.anonymous && back.created > 0);
    assert_int_equal(back.labels.len, 2);
    assert_string_equal(back.labels.items[0], "a=b=c");
    strv_free(&volume.labels);
}

static void making_one_that_is_there_leaves_it_alone(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    autovolume back = {0};
    make_volume(place, "data", false);
    make_volume(place, "data", true);
    assert_int_equal(volume_read(&place->all, "data", &back, &err), 0);
    assert_false(back.anonymous);
    assert_int_equal(count_entries(place, "root/volumes"), 1);
}

static void what_dead_makers_left_is_swept_and_the_living_are_not_disturbed(void **state)
{
    struct place *place = *state;
    autofree char *top = xasprintf("%s/root/volumes", place->top);
    make_volume(place, "data", false);
    autofd dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mkdirat(dir, ".new.dead", 0700), 0);
    assert_int_equal(mkdirat(dir, ".new.dead/data", 0700), 0);
    assert_int_equal(mkdirat(dir, ".gone.dead", 0700), 0);
    assert_int_equal(mkdirat(dir, ".new.alive", 0700), 0);
    autofd alive = openat(dir, ".new.alive", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(lock_fd(alive, LOCK_EX), 0);
    make_volume(place, "other", false);
    assert_false(is_there(place, ".new.dead") || is_there(place, ".gone.dead"));
    assert_true(is_there(place, ".new.alive"));
}

static void a_list_has_only_what_is_complete(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    autostrv names = {0};
    assert_int_equal(volume_list(&place->all, &names, &err), 0);
    assert_int_equal(names.len, 0);
    make_volume(place, "b", false);
    make_volume(place, "a", false);
    autofree char *passing = xasprintf("%s/root/volumes/.new.x", place->top);
    assert_int_equal(mkdir(passing, 0700), 0);
    assert_int_equal(volume_list(&place->all, &names, &err), 0);
    assert_int_equal(names.len, 2);
    assert_string_equal(names.items[0], "a");
}

static void a_damaged_description_is_named_and_the_volume_can_be_removed(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    autovolume volume = {0};
    make_volume(place, "data", false);
    autofd home = volume_hold(&place->all, "data", &err);
    assert_int_equal(write_file_at(home, "volume.json", "{", 1, 0600, VOLATILE, &err), 0);
    close(take_fd(&home));
    assert_int_equal(volume_read(&place->all, "data", &volume, &err), -EBADMSG);
    assert_non_null(strstr(err.text, "volume.json of volume data"));
    assert_int_equal(volume_remove(&place->all, "data", NULL, &err), 0);
    assert_int_equal(count_entries(place, "root/volumes"), 0);
}

/* --- use --- */

static void one_that_a_container_uses_is_not_removed_and_the_container_is_named(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    autocontainer c = CONTAINER_EMPTY;
    make_user(place, "web", "data", false, &c);
    assert_int_equal(volume_remove(&place->all, "data", NULL, &err), -EBUSY);
    assert_non_null(strstr(err.text, "container web"));
    assert_true(is_there(place, "data"));
    assert_int_equal(container_remove(&c, true, &err), 0);
    assert_true(is_there(place, "data")); /* it has a name of its own */
    assert_int_equal(volume_remove(&place->all, "data", NULL, &err), 0);
    assert_int_equal(volume_remove(&place->all, "data", NULL, &err), -ENOENT);
}

static void while_its_container_is_being_made_it_is_not_removed(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    make_volume(place, "data", false);
    autofd held = volume_hold(&place->all, "data", &err);
    assert_true(held >= 0);
    assert_int_equal(volume_remove(&place->all, "data", NULL, &err), -EBUSY);
    assert_int_equal(lock_fd(held, LOCK_UN), 0);
    assert_int_equal(volume_remove(&place->all, "data", NULL, &err), 0);
}

static void a_claim_holds_until_it_is_written(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    autocontainer c = CONTAINER_EMPTY;
    autoplan plan;
    make_plan(&plan, "web", false);
    struct plan_mount *mount = plan_add_mount(&plan);
    *mount = (struct plan_mount){
        .kind = PLAN_VOLUME, .source = xstrdup("data"), .target = xstrdup("/data"), .make = true};
    assert_int_equal(container_claim(&place->all, &plan, &c, &err), 0);
    assert_int_equal(volume_remove(&place->all, "data", NULL, &err), -EBUSY);
    assert_non_null(strstr(err.text, "just being made"));
    assert_int_equal(container_write(&c, &err), 0);
    assert_int_equal(volume_remove(&place->all, "data", NULL, &err), -EBUSY);
    assert_non_null(strstr(err.text, "used by container web"));
}

static void an_anonymous_one_goes_with_the_last_container_that_uses_it(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    autocontainer first = CONTAINER_EMPTY, second = CONTAINER_EMPTY;
    make_user(place, "first", "data", true, &first);
    make_user(place, "second", "data", true, &second);
    assert_int_equal(container_remove(&first, true, &err), 0);
    assert_true(is_there(place, "data"));
    assert_int_equal(container_remove(&second, true, &err), 0);
    assert_false(is_there(place, "data"));
}

static void a_maker_that_was_killed_leaves_no_anonymous_volume(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        struct container c = CONTAINER_EMPTY;
        autoplan plan;
        make_plan(&plan, "web", false);
        struct plan_mount *mount = plan_add_mount(&plan);
        *mount = (struct plan_mount){.kind = PLAN_VOLUME,
                                     .source = xstrdup("data"),
                                     .target = xstrdup("/data"),
                                     .anonymous = true,
                                     .make = true};
        _exit(container_claim(&place->all, &plan, &c, &err) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(is_there(place, "data"));
    autocontainer other = CONTAINER_EMPTY;
    make_container(place, "web", false, &other); /* takes the name over */
    autostrv ids = {0};
    assert_int_equal(container_list(&place->all, &ids, &err), 0);
    for (size_t i = 0; i < ids.len; i++) {
        autocontainer found = CONTAINER_EMPTY;
        (void)container_find(&place->all, ids.items[i], &found, NULL);
    }
    assert_false(is_there(place, "data"));
}

static void a_missing_one_that_nobody_makes_is_an_error(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    autocontainer c = CONTAINER_EMPTY;
    autoplan plan;
    make_plan(&plan, "web", false);
    struct plan_mount *mount = plan_add_mount(&plan);
    *mount = (struct plan_mount){
        .kind = PLAN_VOLUME, .source = xstrdup("data"), .target = xstrdup("/data")};
    assert_int_equal(container_create(&place->all, &plan, &c, &err), -ENOENT);
    assert_non_null(strstr(err.text, "no such volume: data"));
    assert_int_equal(count_containers(place), 0);
}

/* --- trees --- */

struct trees {
    int from, to, links;
};

static void open_trees(struct place *place, struct trees *t)
{
    static const char *const names[] = {"from", "to", "links"};
    int *fds[] = {&t->from, &t->to, &t->links};
    for (int i = 0; i < 3; i++) {
        autofree char *path = xasprintf("%s/%s", place->top, names[i]);
        assert_int_equal(mkdir(path, 0755), 0);
        *fds[i] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(*fds[i] >= 0);
    }
}

static void close_trees(struct trees *t)
{
    close(t->from);
    close(t->to);
    close(t->links);
}

static void put(int dir, const char *name, const char *text)
{
    struct error err = {0};
    assert_int_equal(write_file_at(dir, name, text, strlen(text), 0640, VOLATILE, &err), 0);
}

static struct stat look(int dir, const char *name)
{
    struct stat st;
    assert_int_equal(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st;
}

static void files_keep_what_they_are(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    struct trees t;
    const struct timespec times[] = {{1000, 5}, {2000, 7}};
    open_trees(place, &t);
    put(t.from, "file", "text");
    assert_int_equal(fchmodat(t.from, "file", 04751, 0), 0);
    assert_int_equal(mkdirat(t.from, "dir", 0700), 0);
    assert_int_equal(linkat(t.from, "file", t.from, "dir/other", 0), 0);
    assert_int_equal(symlinkat("../../../../canary", t.from, "link"), 0);
    assert_int_equal(mkfifoat(t.from, "fifo", 0622), 0);
    assert_int_equal(fchmodat(t.from, "dir", 01510, 0), 0);
    assert_int_equal(utimensat(t.from, "file", times, 0), 0);
    assert_int_equal(utimensat(t.from, "dir", times, 0), 0);
    assert_int_equal(tree_copy(t.from, t.to, t.links, &err), 0);
    struct stat file = look(t.to, "file"), other = look(t.to, "dir/other"), dir = look(t.to, "dir"),
                fifo = look(t.to, "fifo");
    assert_int_equal(file.st_mode, S_IFREG | 04751);
    assert_int_equal(file.st_mtim.tv_sec, 2000);
    assert_int_equal(file.st_mtim.tv_nsec, 7);
    assert_int_equal(file.st_ino, other.st_ino);
    assert_int_equal(dir.st_mode, S_IFDIR | 01510);
    assert_int_equal(dir.st_mtim.tv_sec, 2000);
    assert_true(S_ISFIFO(fifo.st_mode));
    char target[64] = "";
    assert_true(readlinkat(t.to, "link", target, sizeof target - 1) > 0);
    assert_string_equal(target, "../../../../canary");
    close_trees(&t);
}

static void extended_attributes_are_kept_but_for_those_of_the_store(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    struct trees t;
    open_trees(place, &t);
    put(t.from, "file", "text");
    autofd from = openat(t.from, "file", O_RDWR | O_CLOEXEC);
    if (fsetxattr(from, "user.note", "x", 1, 0) < 0) {
        close_trees(&t);
        skip(); /* no file system for that */
    }
    assert_int_equal(fsetxattr(from, "user.overlay.opaque", "y", 1, 0), 0);
    assert_int_equal(tree_copy(t.from, t.to, t.links, &err), 0);
    autofd to = openat(t.to, "file", O_RDONLY | O_CLOEXEC);
    char value[4];
    assert_int_equal(fgetxattr(to, "user.note", value, sizeof value), 1);
    assert_int_equal(fgetxattr(to, "user.overlay.opaque", value, sizeof value), -1);
    close_trees(&t);
}

static void holes_stay_holes(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    struct trees t;
    open_trees(place, &t);
    autofd fd = openat(t.from, "sparse", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(fd, (off_t)1 << 34), 0);
    assert_int_equal(pwrite(fd, "end", 3, (off_t)1 << 33), 3);
    assert_int_equal(tree_copy(t.from, t.to, t.links, &err), 0);
    struct stat st = look(t.to, "sparse");
    assert_int_equal(st.st_size, (off_t)1 << 34);
    assert_true(st.st_blocks * 512 < 1 << 20);
    autofd copy = openat(t.to, "sparse", O_RDONLY | O_CLOEXEC);
    char text[3];
    assert_int_equal(pread(copy, text, 3, (off_t)1 << 33), 3);
    assert_memory_equal(text, "end", 3);
    close_trees(&t);
}

static void depth_costs_no_descriptors(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    struct trees t;
    enum { DEPTH = 3000 };
    open_trees(place, &t);
    autofd at = fcntl(t.from, F_DUPFD_CLOEXEC, 3);
    for (int i = 0; i < DEPTH; i++) {
        assert_int_equal(mkdirat(at, "d", 0755), 0);
        int next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        close(at);
        at = next;
    }
    put(at, "bottom", "x");
    assert_int_equal(tree_copy(t.from, t.to, t.links, &err), 0);
    autofd down = fcntl(t.to, F_DUPFD_CLOEXEC, 3);
    for (int i = 0; i < DEPTH; i++) {
        int next = openat(down, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        close(down);
        down = next;
    }
    assert_int_equal(faccessat(down, "bottom", F_OK, 0), 0);
    close_trees(&t);
}

int main(void)
{
#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, place_make, place_remove)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_never_a_path),
        IN_PLACE(names_that_are_paths_reach_no_file),
        IN_PLACE(what_was_made_is_read_back),
        IN_PLACE(making_one_that_is_there_leaves_it_alone),
        IN_PLACE(what_dead_makers_left_is_swept_and_the_living_are_not_disturbed),
        IN_PLACE(a_list_has_only_what_is_complete),
        IN_PLACE(a_damaged_description_is_named_and_the_volume_can_be_removed),
        IN_PLACE(one_that_a_container_uses_is_not_removed_and_the_container_is_named),
        IN_PLACE(while_its_container_is_being_made_it_is_not_removed),
        IN_PLACE(a_claim_holds_until_it_is_written),
        IN_PLACE(an_anonymous_one_goes_with_the_last_container_that_uses_it),
        IN_PLACE(a_maker_that_was_killed_leaves_no_anonymous_volume),
        IN_PLACE(a_missing_one_that_nobody_makes_is_an_error),
        IN_PLACE(files_keep_what_they_are),
        IN_PLACE(extended_attributes_are_kept_but_for_those_of_the_store),
        IN_PLACE(holes_stay_holes),
        IN_PLACE(depth_costs_no_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
