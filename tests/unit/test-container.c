/* SPDX-License-Identifier: Apache-2.0 */
/* Containers on disk: created, found, named, locked, damaged. */
#include "container-fixture.h"

static void a_created_container_is_found_by_name_id_and_prefix(void **state)
{
    struct place *place = *state;
    autocontainer c = CONTAINER_EMPTY;
    struct error err = {0};
    make_container(place, "web", false, &c);
    char prefix[] = "0123456789ab";
    memcpy(prefix, c.id, 12);
    const char *const words[] = {"web", "/web", c.id, prefix};
    for (size_t i = 0; i < 4; i++) {
        autocontainer found = CONTAINER_EMPTY;
        assert_int_equal(container_find(&place->all, words[i], &found, &err), 0);
        assert_string_equal(found.id, c.id);
        assert_string_equal(found.plan.name, "web");
        assert_int_equal(found.now, CONTAINER_CREATED);
        assert_false(found.in_state);
    }
}

static void the_full_name_wins_over_an_id_prefix(void **state)
{
    struct place *place = *state;
    autocontainer first = CONTAINER_EMPTY, second = CONTAINER_EMPTY, found = CONTAINER_EMPTY;
    struct error err = {0};
    make_container(place, NULL, false, &first);
    char prefix[] = "0123";
    memcpy(prefix, first.id, 4);
    make_container(place, prefix, false, &second);
    assert_int_equal(container_find(&place->all, prefix, &found, &err), 0);
    assert_string_equal(found.id, second.id);
}

static void an_ambiguous_prefix_is_an_error_that_names_two(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    const char *const ids[] = {"aaaa000000000000000000000000000000000000000000000000000000000001",
                               "aaaa000000000000000000000000000000000000000000000000000000000002"};
    for (int i = 0; i < 2; i++) {
        autoplan plan;
        autocontainer c = CONTAINER_EMPTY;
        make_plan(&plan, NULL, false);
        plan.id = xstrdup(ids[i]);
        assert_int_equal(container_create(&place->all, &plan, &c, &err), 0);
    }
    autocontainer found = CONTAINER_EMPTY;
    assert_int_equal(container_find(&place->all, "aaaa", &found, &err), -EINVAL);
    assert_non_null(strstr(err.text, "ambiguous"));
    assert_int_equal(found.home, -1);
}

static void a_missing_container_is_named_and_a_near_name_suggested(void **state)
{
    struct place *place = *state;
    autocontainer c = CONTAINER_EMPTY, found = CONTAINER_EMPTY;
    struct error err = {0};
    make_container(place, "database", true, &c);
    assert_int_equal(container_find(&place->all, "databse", &found, &err), -ENOENT);
    assert_string_equal(err.text, "no such container: databse; did you mean database?");
    assert_int_equal(container_find(&place->all, "", &found, &err), -ENOENT);
    assert_int_equal(container_find(&place->all, "../names", &found, &err), -ENOENT);
    assert_int_equal(container_find(&place->all, "a\033[2Jb", &found, &err), -ENOENT);
    assert_null(strchr(err.text, '\033'));
}

static void with_rm_and_a_read_only_root_nothing_is_below_root(void **state)
{
    struct place *place = *state;
    autocontainer c = CONTAINER_EMPTY;
    make_container(place, "quick", true, &c);
    assert_true(c.in_state);
    assert_int_equal(count_entries(place, "root/containers"), 0);
    assert_int_equal(count_entries(place, "root/names"), 0);
    assert_int_equal(count_entries(place, "state/containers"), 1);
}

static void with_rm_and_a_writable_root_or_anonymous_volumes_it_is_below_root(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    for (int i = 0; i < 2; i++) {
        autoplan plan;
        autocontainer c = CONTAINER_EMPTY;
        make_plan(&plan, NULL, true);
        if (i == 0) {
            plan.root_read_only = false;
        } else {
            struct plan_mount *mount = plan_add_mount(&plan);
            mount->kind = PLAN_VOLUME;
            mount->source = xstrdup("data");
            mount->target = xstrdup("/data");
            mount->anonymous = mount->make = true;
        }
        assert_int_equal(container_create(&place->all, &plan, &c, &err), 0);
        assert_false(c.in_state);
    }
    assert_int_equal(count_entries(place, "root/containers"), 2);
}

static void a_name_has_one_owner_wherever_it_lies(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    for (int first = 0; first < 2; first++) {
        for (int second = 0; second < 2; second++) {
            autocontainer c = CONTAINER_EMPTY, other = CONTAINER_EMPTY;
            autoplan plan;
            make_container(place, "web", first, &c);
            make_plan(&plan, "web", second);
            assert_int_equal(container_create(&place->all, &plan, &other, &err), -EEXIST);
            assert_non_null(strstr(err.text, "the name web belongs to container"));
            assert_int_equal(count_containers(place), 1);
            assert_string_equal(plan.name, "web");
            assert_int_equal(container_remove(&c, true, &err), 0);
            assert_int_equal(count_containers(place), 0);
            assert_int_equal(count_entries(place, "root/names"), 0);
            assert_int_equal(count_entries(place, "state/names"), 0);
        }
    }
}

static void a_name_survives_a_boot(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    autocontainer c = CONTAINER_EMPTY, found = CONTAINER_EMPTY, other = CONTAINER_EMPTY;
    autoplan plan;
    make_container(place, "web", false, &c);
    assert_int_equal(unlinkat(place->all.state_names, "web", 0), 0);
    assert_int_equal(unlinkat(place->all.state_fd, c.id, AT_REMOVEDIR), 0);
    assert_int_equal(container_find(&place->all, "web", &found, &err), 0);
    assert_int_equal(found.now, CONTAINER_CREATED);
    make_plan(&plan, "web", true);
    assert_int_equal(container_create(&place->all, &plan, &other, &err), -EEXIST);
    assert_int_equal(container_remove(&found, true, &err), 0);
    assert_int_equal(count_entries(place, "root/names"), 0);
    assert_int_equal(count_entries(place, "state/containers"), 0);
}

static void a_name_whose_container_is_gone_is_free(void **state)
{
    struct place *place = *state;
    const char *gone = "bbbb000000000000000000000000000000000000000000000000000000000001";
    autocontainer c = CONTAINER_EMPTY, found = CONTAINER_EMPTY;
    struct error err = {0};
    assert_int_equal(symlinkat(gone, place->all.state_names, "web"), 0);
    assert_int_equal(symlinkat("nonsense", place->all.root_names, "web"), 0);
    assert_int_equal(container_find(&place->all, "web", &found, &err), -ENOENT);
    make_container(place, "web", false, &c);
    assert_int_equal(container_find(&place->all, "web", &found, &err), 0);
    assert_string_equal(found.id, c.id);
}

static void many_who_want_one_name_get_it_once(void **state)
{
    struct place *place = *state;
    enum { MANY = 16 };
    int got = 0;
    for (int i = 0; i < MANY; i++) {
        if (fork() == 0) {
            struct containers all;
            struct error err = {0};
            autoplan plan;
            struct container c = CONTAINER_EMPTY;
            make_plan(&plan, "wanted", i % 2);
            if (containers_open(place->root, place->state, &all, &err) < 0)
                _exit(2);
            int rc = container_create(&all, &plan, &c, &err);
            _exit(rc == 0 ? 0 : rc == -EEXIST ? 1 : 2);
        }
    }
    for (int i = 0; i < MANY; i++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
        got += WEXITSTATUS(status) == 0;
    }
    assert_int_equal(got, 1);
    assert_int_equal(count_containers(place), 1);
}

static void a_locked_container_cannot_be_changed_by_another(void **state)
{
    struct place *place = *state;
    autocontainer c = CONTAINER_EMPTY;
    struct error err = {0};
    int ends[2];
    make_container(place, "web", false, &c);
    assert_int_equal(container_lock(&c, &err), 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        autocontainer mine = CONTAINER_EMPTY;
        close(c.lock); /* inherited: not what this is about */
        c.lock = -1;
        int rc = container_find(&place->all, "web", &mine, &err);
        if (rc == 0)
            rc = container_lock(&mine, &err);
        _exit(write(ends[1], "x", 1) == 1 && rc == 0 ? 0 : 1);
    }
    close(ends[1]);
    struct timespec moment = {.tv_nsec = 50000000};
    nanosleep(&moment, NULL);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), -1);
    container_unlock(&c);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(ends[0]);
}

static void who_waited_for_the_lock_of_a_removed_container_is_told(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    for (int remove = 0; remove < 2; remove++) {
        autocontainer c = CONTAINER_EMPTY, other = CONTAINER_EMPTY;
        make_container(place, "web", remove, &c);
        assert_int_equal(container_find(&place->all, "web", &other, &err), 0);
        assert_int_equal(container_remove(&c, true, &err), 0);
        assert_int_equal(container_lock(&other, &err), -ENOENT);
        assert_int_equal(container_refresh(&other, &err), -ENOENT);
        assert_int_equal(count_entries(place, "state/containers"), 0);
    }
}

static void what_a_killed_create_left_is_swept(void **state)
{
    struct place *place = *state;
    const char *id = "cccc000000000000000000000000000000000000000000000000000000000001";
    autocontainer found = CONTAINER_EMPTY;
    struct error err = {0};
    for (int below_root = 0; below_root < 2; below_root++) {
        assert_int_equal(mkdirat(place->all.state_fd, id, 0700), 0);
        if (below_root)
            assert_int_equal(mkdirat(place->all.root_fd, id, 0700), 0);
        assert_int_equal(container_find(&place->all, "cccc", &found, &err), -ENOENT);
        assert_int_equal(count_containers(place), 0);
    }
}

static void a_half_made_container_that_is_locked_is_left_alone(void **state)
{
    struct place *place = *state;
    const char *id = "cccc000000000000000000000000000000000000000000000000000000000001";
    autocontainer found = CONTAINER_EMPTY, c = CONTAINER_EMPTY;
    autoplan plan;
    struct error err = {0};
    assert_int_equal(mkdirat(place->all.state_fd, id, 0700), 0);
    autofd maker = openat(place->all.state_fd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(lock_fd(maker, 2), 0);
    assert_int_equal(symlinkat(id, place->all.state_names, "web"), 0);
    assert_int_equal(container_find(&place->all, "web", &found, &err), -ENOENT);
    assert_int_equal(count_containers(place), 1);
    make_plan(&plan, "web", false);
    assert_int_equal(container_create(&place->all, &plan, &c, &err), -EEXIST);
}

static void a_damaged_config_is_named_and_can_be_discarded(void **state)
{
    struct place *place = *state;
    autocontainer c = CONTAINER_EMPTY, found = CONTAINER_EMPTY;
    struct error err = {0};
    make_container(place, "web", false, &c);
    assert_int_equal(write_file_at(c.home, "config.json", "{\"oci", 5, 0600, VOLATILE, &err), 0);
    assert_int_equal(container_find(&place->all, "web", &found, &err), -EBADMSG);
    assert_non_null(strstr(err.text, "config.json of container"));
    assert_non_null(strstr(err.text, "caisson rm -f"));
    assert_int_equal(container_discard(&place->all, c.id, &err), 0);
    assert_int_equal(count_containers(place), 0);
    assert_int_equal(container_find(&place->all, "web", &found, &err), -ENOENT);
}

static void a_damaged_status_is_an_error(void **state)
{
    struct place *place = *state;
    autocontainer c = CONTAINER_EMPTY, found = CONTAINER_EMPTY;
    struct error err = {0};
    const char *const damaged[] = {"pid", "pid=\n", "pid=-1\n", "pid=1 2\n", "oom_killed=2\n"};
    make_container(place, "web", false, &c);
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        const char *text = damaged[i];
        assert_int_equal(write_file_at(c.state, "status", text, strlen(text), 0600, VOLATILE, &err),
                         0);
        assert_int_equal(container_find(&place->all, "web", &found, &err), -EBADMSG);
        assert_non_null(strstr(err.text, "status is damaged"));
    }
}

static void random_names_do_not_repeat(void **state)
{
    struct place *place = *state;
    enum { MANY = 50 };
    for (int i = 0; i < MANY; i++) {
        autocontainer c = CONTAINER_EMPTY;
        make_container(place, NULL, true, &c);
        assert_non_null(c.plan.name);
    }
    assert_int_equal(count_entries(place, "state/names"), MANY);
}

static void a_directory_that_others_can_write_to_is_refused(void **state)
{
    struct place *place = *state;
    struct containers all;
    struct error err = {0};
    assert_int_equal(chmod(place->state, 0777), 0);
    assert_int_equal(containers_open(place->root, place->state, &all, &err), -EPERM);
    assert_non_null(strstr(err.text, "chmod 700"));
}

#define IN_PLACE(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(a_created_container_is_found_by_name_id_and_prefix),
        IN_PLACE(the_full_name_wins_over_an_id_prefix),
        IN_PLACE(an_ambiguous_prefix_is_an_error_that_names_two),
        IN_PLACE(a_missing_container_is_named_and_a_near_name_suggested),
        IN_PLACE(with_rm_and_a_read_only_root_nothing_is_below_root),
        IN_PLACE(with_rm_and_a_writable_root_or_anonymous_volumes_it_is_below_root),
        IN_PLACE(a_name_has_one_owner_wherever_it_lies),
        IN_PLACE(a_name_survives_a_boot),
        IN_PLACE(a_name_whose_container_is_gone_is_free),
        IN_PLACE(many_who_want_one_name_get_it_once),
        IN_PLACE(a_locked_container_cannot_be_changed_by_another),
        IN_PLACE(who_waited_for_the_lock_of_a_removed_container_is_told),
        IN_PLACE(what_a_killed_create_left_is_swept),
        IN_PLACE(a_half_made_container_that_is_locked_is_left_alone),
        IN_PLACE(a_damaged_config_is_named_and_can_be_discarded),
        IN_PLACE(a_damaged_status_is_an_error),
        IN_PLACE(random_names_do_not_repeat),
        IN_PLACE(a_directory_that_others_can_write_to_is_refused),
    };
    return cmocka_run_group_tests_name("container", tests, NULL, NULL);
}
