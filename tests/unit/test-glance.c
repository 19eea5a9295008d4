/* SPDX-License-Identifier: Apache-2.0 */
/* What a list tells of a container from its small files is what a whole look at it tells. */
#include "container-fixture.h"

#include "container/disk.h"
#include "container/summary.h"

static struct glance look(struct place *place, const char *id)
{
    struct glance glance;
    struct error err = {0};
    if (container_glance(&place->all, id, &glance, &err) < 0)
        fail_msg("%s", err.text);
    return glance;
}

static enum container_state state_of(struct place *place, const struct container *c)
{
    struct glance glance = look(place, c->id);
    enum container_state now = glance.now;
    glance_free(&glance);
    return now;
}

static void a_list_knows_each_state(void **state)
{
    struct place *place = *state;
    autocontainer c = CONTAINER_EMPTY;
    make_container(place, "web", false, &c);
    assert_int_equal(state_of(place, &c), CONTAINER_CREATED);
    pid_t pid = make_process(), monitor = make_process();
    make_running(&c, pid, monitor);
    assert_int_equal(state_of(place, &c), CONTAINER_RUNNING);
    end_process(pid);
    assert_int_equal(state_of(place, &c), CONTAINER_RUNNING); /* the monitor will tell its end */
    end_process(monitor);
    struct glance glance = look(place, c.id);
    assert_int_equal(glance.now, CONTAINER_DEAD);
    assert_int_equal(glance.exit.code, 255);
    glance_free(&glance);
    assert_int_equal(faccessat(c.state, STATUS_NAME, F_OK, 0), -1); /* and all is cleaned up */
    assert_int_equal(state_of(place, &c), CONTAINER_DEAD);
}

static void a_killed_monitor_changes_nothing_while_the_container_runs(void **state)
{
    struct place *place = *state;
    autocontainer c = CONTAINER_EMPTY;
    make_container(place, "web", false, &c);
    pid_t pid = make_process(), monitor = make_process();
    make_running(&c, pid, monitor);
    end_process(monitor);
    assert_int_equal(state_of(place, &c), CONTAINER_RUNNING);
    end_process(pid);
}

static void another_process_with_its_number_is_not_taken_for_it(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    autocontainer c = CONTAINER_EMPTY;
    make_container(place, "web", false, &c);
    pid_t pid = make_process();
    make_running(&c, pid, 0);
    c.status.start_time++;
    assert_int_equal(container_save_status(&c, &err), 0);
    assert_int_equal(state_of(place, &c), CONTAINER_DEAD);
    end_process(pid);
}

static void with_rm_a_list_clears_up_after_the_dead_and_the_unborn(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    struct glance glance;
    autocontainer c = CONTAINER_EMPTY, unborn = CONTAINER_EMPTY;
    autoplan plan;
    make_container(place, "web", true, &c);
    pid_t pid = make_process();
    make_running(&c, pid, 0);
    end_process(pid);
    assert_int_equal(container_glance(&place->all, c.id, &glance, &err), -ENOENT);
    make_plan(&plan, "unborn", true);
    plan.detached = plan.by_run = true;
    assert_int_equal(container_create(&place->all, &plan, &unborn, &err), 0);
    container_unlock(&unborn);
    assert_int_equal(container_glance(&place->all, unborn.id, &glance, &err), -ENOENT);
    assert_int_equal(count_containers(place), 0);
}

static void put(int dir, const char *name, const char *text)
{
    struct error err = {0};
    assert_int_equal(write_file_at(dir, name, text, strlen(text), 0600, VOLATILE, &err), 0);
}

static void a_summary_that_says_too_little_is_not_believed(void **state)
{
    struct place *place = *state;
    autocontainer c = CONTAINER_EMPTY;
    make_container(place, "web", false, &c);
    put(c.home, "summary",
        "name=other\nimage=\nimage_id=\ncommand=\nlevel=\nnetwork=\ncreated=1\n");
    struct glance glance = look(place, c.id);
    assert_string_equal(glance.summary.name, "web");
    glance_free(&glance);
}

static void a_summary_alone_is_no_container(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    struct glance glance;
    autocontainer c = CONTAINER_EMPTY;
    make_container(place, "web", false, &c);
    assert_int_equal(unlinkat(c.home, CONFIG_NAME, 0), 0);
    assert_int_equal(container_glance(&place->all, c.id, &glance, &err), -ENOENT);
}

static void files_that_are_larger_than_usual_are_read_whole(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    autocontainer c = CONTAINER_EMPTY;
    autoplan plan;
    make_plan(&plan, "web", false);
    for (int i = 0; i < 1000; i++) {
        autofree char *label = xasprintf("label-%04d=value", i);
        strv_add(&plan.labels, label);
    }
    assert_int_equal(container_create(&place->all, &plan, &c, &err), 0);
    container_unlock(&c);
    pid_t pid = make_process();
    make_running(&c, pid, 0);
    c.status.cgroup = xmalloc(9001);
    memset(c.status.cgroup, 'x', 9000);
    c.status.cgroup[9000] = '\0';
    assert_int_equal(container_save_status(&c, &err), 0);
    struct glance glance = look(place, c.id);
    assert_int_equal(glance.now, CONTAINER_RUNNING);
    assert_int_equal(glance.summary.labels.len, 1000);
    assert_string_equal(glance.summary.labels.items[999], "label-0999=value");
    assert_int_equal(strlen(glance.cgroup), 9000);
    glance_free(&glance);
    end_process(pid);
}

#define IN_PLACE(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(a_list_knows_each_state),
        IN_PLACE(a_killed_monitor_changes_nothing_while_the_container_runs),
        IN_PLACE(another_process_with_its_number_is_not_taken_for_it),
        IN_PLACE(with_rm_a_list_clears_up_after_the_dead_and_the_unborn),
        IN_PLACE(a_summary_that_says_too_little_is_not_believed),
        IN_PLACE(a_summary_alone_is_no_container),
        IN_PLACE(files_that_are_larger_than_usual_are_read_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
