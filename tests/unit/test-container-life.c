/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of containers: states, ends, waiting, stopping, kills at random moments. */
#include <sys/prctl.h>
#include <sys/random.h>

#include "container-fixture.h"

static void find(struct place *place, const char *name, struct container *c)
{
    struct error err = {0};
    container_close(c);
    if (container_find(&place->all, name, c, &err) < 0)
        fail_msg("%s", err.text);
}

static void a_live_first_process_means_running(void **state)
{
    struct place *place = *state;
    autocontainer c = CONTAINER_EMPTY, found = CONTAINER_EMPTY;
    struct error err = {0};
    make_container(place, "web", false, &c);
    pid_t pid = make_process();
    make_running(&c, pid, 0);
    find(place, "web", &found);
    assert_int_equal(found.now, CONTAINER_RUNNING);
    assert_int_equal(container_remove(&found, true, &err), -EBUSY);
    assert_non_null(strstr(err.text, "caisson rm -f web"));
    assert_int_equal(container_ended(&found, -1, &err), -EBUSY);
    end_process(pid);
}

static void another_process_with_the_same_number_is_not_the_container(void **state)
{
    struct place *place = *state;
    autocontainer c = CONTAINER_EMPTY, found = CONTAINER_EMPTY;
    struct error err = {0};
    make_container(place, "web", false, &c);
    pid_t pid = make_process();
    make_running(&c, pid, 0);
    c.status.start_time--;
    assert_int_equal(container_save_status(&c, &err), 0);
    find(place, "web", &found);
    assert_int_equal(found.now, CONTAINER_DEAD);
    assert_int_equal(container_signal(&found, SIGKILL, &err), -ESRCH);
    c.status.pid = pid;
    assert_int_equal(container_pidfd(&c, &err), -ESRCH);
    end_process(pid);
}

static void an_end_that_nobody_saw_is_dead_with_255(void **state)
{
    struct place *place = *state;
    autocontainer c = CONTAINER_EMPTY, found = CONTAINER_EMPTY;
    make_container(place, "web", false, &c);
    pid_t pid = make_process();
    make_running(&c, pid, 0);
    end_process(pid);
    for (int look = 0; look < 2; look++) { /* the second finds it cleaned up */
        find(place, "web", &found);
        assert_int_equal(found.now, CONTAINER_DEAD);
        assert_int_equal(found.exit.code, 255);
        assert_int_equal(found.status.pid, 0);
        assert_true(found.status.started > 0);
    }
}

static void while_the_monitor_lives_the_end_is_not_final(void **state)
{
    struct place *place = *state;
    autocontainer c = CONTAINER_EMPTY, found = CONTAINER_EMPTY;
    make_container(place, "web", false, &c);
    pid_t pid = make_process(), monitor = make_process();
    make_running(&c, pid, monitor);
    end_process(pid);
    find(place, "web", &found);
    assert_int_equal(found.now, CONTAINER_RUNNING);
    assert_true(found.ending);
    assert_int_equal(exit_record_write(c.state, 3 << 8, 12345), 0);
    find(place, "web", &found);
    assert_int_equal(found.now, CONTAINER_EXITED);
    assert_true(found.ending);
    assert_int_equal(found.exit.code, 3);
    assert_true(found.status.pid > 0); /* cleaning up is left to the monitor */
    end_process(monitor);
    find(place, "web", &found);
    assert_int_equal(found.now, CONTAINER_EXITED);
    assert_int_equal(found.status.pid, 0);
    assert_int_equal(found.exit.finished, 12345);
}

static void a_zombie_is_not_running(void **state)
{
    struct place *place = *state;
    autocontainer c = CONTAINER_EMPTY, found = CONTAINER_EMPTY;
    siginfo_t info;
    make_container(place, "web", false, &c);
    pid_t pid = make_process();
    make_running(&c, pid, 0);
    kill(pid, SIGKILL);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    find(place, "web", &found);
    assert_int_equal(found.now, CONTAINER_DEAD);
    end_process(pid);
}

static void how_it_ended_outlives_the_boot(void **state)
{
    struct place *place = *state;
    autocontainer c = CONTAINER_EMPTY, found = CONTAINER_EMPTY;
    struct error err = {0};
    make_container(place, "web", false, &c);
    pid_t pid = make_process();
    make_running(&c, pid, 0);
    end_process(pid);
    assert_int_equal(container_ended(&c, 7 << 8, &err), 0);
    assert_int_equal(c.now, CONTAINER_EXITED);
    assert_int_equal(remove_tree_at(place->all.state_fd, c.id, &err), 0);
    assert_int_equal(unlinkat(place->all.state_names, "web", 0), 0);
    find(place, "web", &found);
    assert_int_equal(found.now, CONTAINER_EXITED);
    assert_int_equal(found.exit.code, 7);
    assert_true(found.status.started > 0);
    assert_true(found.exit.finished >= found.status.started);
}

static void a_boot_while_it_runs_leaves_it_dead_or_with_rm_removed(void **state)
{
    struct place *place = *state;
    autocontainer kept = CONTAINER_EMPTY, gone = CONTAINER_EMPTY, found = CONTAINER_EMPTY;
    autoplan plan;
    struct error err = {0};
    make_container(place, "kept", false, &kept);
    make_plan(&plan, "gone", true);
    plan.root_read_only = false;
    assert_int_equal(container_create(&place->all, &plan, &gone, &err), 0);
    container_unlock(&gone);
    pid_t pid = make_process();
    make_running(&kept, pid, 0);
    make_running(&gone, pid, 0);
    end_process(pid);
    assert_int_equal(remove_tree_at(place->all.state_fd, kept.id, &err), 0);
    assert_int_equal(remove_tree_at(place->all.state_fd, gone.id, &err), 0);
    find(place, "kept", &found);
    assert_int_equal(found.now, CONTAINER_DEAD);
    assert_int_equal(found.exit.code, 255);
    container_close(&found);
    assert_int_equal(container_find(&place->all, "gone", &found, &err), -ENOENT);
    assert_int_equal(count_entries(place, "root/containers"), 1);
}

static void starting_again_forgets_the_last_end(void **state)
{
    struct place *place = *state;
    autocontainer c = CONTAINER_EMPTY, found = CONTAINER_EMPTY;
    struct error err = {0};
    make_container(place, "web", false, &c);
    for (int i = 1; i < 4; i++) {
        pid_t pid = make_process();
        make_running(&c, pid, 0);
        find(place, "web", &found);
        assert_int_equal(found.now, CONTAINER_RUNNING);
        end_process(pid);
        assert_int_equal(container_ended(&c, i << 8, &err), 0);
        find(place, "web", &found);
        assert_int_equal(found.now, CONTAINER_EXITED);
        assert_int_equal(found.exit.code, i);
    }
}

static void a_start_that_failed_is_an_end_too(void **state)
{
    struct place *place = *state;
    autocontainer c = CONTAINER_EMPTY, found = CONTAINER_EMPTY;
    struct error err = {0};
    make_container(place, "web", false, &c);
    assert_int_equal(container_lock(&c, &err), 0);
    assert_int_equal(container_starting(&c, false, &err), 0);
    assert_int_equal(container_ended(&c, 127 << 8, &err), 0);
    container_unlock(&c);
    find(place, "web", &found);
    assert_int_equal(found.now, CONTAINER_EXITED);
    assert_int_equal(found.exit.code, 127);
}

static void with_rm_the_end_removes_everything(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    for (int writable = 0; writable < 2; writable++) {
        autocontainer c = CONTAINER_EMPTY;
        autoplan plan;
        make_plan(&plan, "web", true);
        plan.root_read_only = !writable;
        assert_int_equal(container_create(&place->all, &plan, &c, &err), 0);
        container_unlock(&c);
        pid_t pid = make_process();
        make_running(&c, pid, 0);
        end_process(pid);
        assert_int_equal(container_ended(&c, 0, &err), 0);
        assert_int_equal(c.now, CONTAINER_EXITED);
        assert_int_equal(container_ended(&c, 0, &err), 0); /* nothing to do twice */
    }
    assert_int_equal(count_entries(place, "root/containers"), 0);
    assert_int_equal(count_entries(place, "state/containers"), 0);
    assert_int_equal(count_entries(place, "state/names"), 0);
    assert_int_equal(count_entries(place, "root/names"), 0);
}

/* A child that plays the monitor: it ends the container `after` ns from now. */
static pid_t end_later(struct place *place, const char *name, pid_t *process, nanoseconds after,
                       int wait_status)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t monitor = fork();
    assert_true(monitor >= 0);
    if (monitor == 0) {
        autocontainer c = CONTAINER_EMPTY;
        struct error err = {0};
        pid_t pid = make_process();
        if (write(ends[1], &pid, sizeof pid) != (ssize_t)sizeof pid)
            _exit(1);
        struct timespec ts = {.tv_sec = after / NSEC_PER_SEC, .tv_nsec = after % NSEC_PER_SEC};
        nanosleep(&ts, NULL);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        int rc = container_find(&place->all, name, &c, &err);
        if (rc == 0)
            rc = container_ended(&c, wait_status, &err);
        _exit(rc == 0 ? 0 : 1);
    }
    assert_int_equal(read(ends[0], process, sizeof *process), sizeof *process);
    close(ends[0]);
    close(ends[1]);
    return monitor;
}

static void wait_returns_when_it_ended_and_knows_how(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    for (int remove = 0; remove < 2; remove++) {
        autocontainer c = CONTAINER_EMPTY, waiting = CONTAINER_EMPTY;
        pid_t pid;
        int status;
        make_container(place, "web", remove, &c);
        pid_t monitor = end_later(place, "web", &pid, 100000000, 42 << 8);
        make_running(&c, pid, monitor);
        find(place, "web", &waiting);
        assert_int_equal(container_wait(&waiting, 20000000, &err), -ETIMEDOUT);
        pid_t reaper = fork(); /* the monitor ends as a child of somebody who reaps */
        if (reaper == 0) {
            int rc = container_wait(&waiting, -1, &err);
            _exit(rc == 0 && waiting.now == CONTAINER_EXITED && waiting.exit.code == 42 ? 0 : 1);
        }
        assert_int_equal(waitpid(monitor, &status, 0), monitor);
        assert_int_equal(status, 0);
        assert_int_equal(waitpid(reaper, &status, 0), reaper);
        assert_int_equal(status, 0);
        if (!remove) {
            assert_int_equal(container_remove(&c, true, &err), 0);
        }
        assert_int_equal(count_containers(place), 0);
    }
}

static void wait_cleans_up_when_the_monitor_is_dead(void **state)
{
    struct place *place = *state;
    autocontainer c = CONTAINER_EMPTY;
    struct error err = {0};
    make_container(place, "web", false, &c);
    pid_t pid = make_process();
    make_running(&c, pid, 0);
    end_process(pid);
    assert_int_equal(container_wait(&c, -1, &err), 0);
    assert_int_equal(c.now, CONTAINER_DEAD);
    assert_int_equal(c.status.pid, 0);
}

static void waiting_for_what_does_not_run_returns_at_once(void **state)
{
    struct place *place = *state;
    autocontainer c = CONTAINER_EMPTY;
    struct error err = {0};
    make_container(place, "web", false, &c);
    assert_int_equal(container_wait(&c, -1, &err), 0);
    assert_int_equal(c.now, CONTAINER_CREATED);
}

static void stop_asks_first_and_kills_after_the_time_is_over(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    for (int deaf = 0; deaf < 2; deaf++) {
        autocontainer c = CONTAINER_EMPTY;
        int ends[2], status;
        make_container(place, "web", false, &c);
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        pid_t pid = fork();
        if (pid == 0) {
            if (deaf)
                signal(SIGTERM, SIG_IGN);
            if (write(ends[1], "x", 1) == 1)
                for (;;)
                    pause();
        }
        char byte;
        assert_int_equal(read(ends[0], &byte, 1), 1);
        close(ends[0]);
        close(ends[1]);
        make_running(&c, pid, 0);
        pid_t stopper = fork();
        if (stopper == 0)
            _exit(container_stop(&c, 0, 100000000, &err) == 0 ? 0 : 1);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), deaf ? SIGKILL : SIGTERM);
        assert_int_equal(waitpid(stopper, &status, 0), stopper);
        assert_int_equal(status, 0);
        assert_int_equal(container_stop(&c, 0, 0, &err), 0); /* once more does no harm */
        assert_int_equal(container_remove(&c, true, &err), 0);
    }
}

static void stop_sends_the_signal_of_the_plan(void **state)
{
    struct place *place = *state;
    autocontainer c = CONTAINER_EMPTY;
    autoplan plan;
    struct error err = {0};
    int status;
    make_plan(&plan, "web", false);
    plan.stop_signal = xstrdup("SIGUSR1");
    assert_int_equal(container_create(&place->all, &plan, &c, &err), 0);
    container_unlock(&c);
    pid_t pid = make_process();
    make_running(&c, pid, 0);
    pid_t stopper = fork();
    if (stopper == 0)
        _exit(container_stop(&c, 0, -1, &err) == 0 ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WTERMSIG(status), SIGUSR1);
    assert_int_equal(waitpid(stopper, &status, 0), stopper);
    assert_int_equal(status, 0);
}

static void anonymous_volumes_outlive_a_removal_without_v(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    for (int volumes = 0; volumes < 2; volumes++) {
        autoplan plan;
        autocontainer c = CONTAINER_EMPTY;
        make_plan(&plan, "web", false);
        struct plan_mount *mount = plan_add_mount(&plan);
        mount->kind = PLAN_VOLUME;
        mount->source = xstrdup("data");
        mount->target = xstrdup("/data");
        mount->anonymous = mount->make = true;
        assert_int_equal(container_create(&place->all, &plan, &c, &err), 0);
        container_unlock(&c);
        autofree char *kept = xasprintf("%s/volumes/data/data", place->root);
        assert_int_equal(access(kept, F_OK), 0);
        assert_int_equal(container_remove(&c, volumes, &err), 0);
        assert_int_equal(access(kept, F_OK), volumes ? -1 : 0);
    }
}

/* One life of a container, over and over, until it is killed. */
static _Noreturn void live_until_killed(struct place *place)
{
    struct containers all;
    struct error err = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (containers_open(place->root, place->state, &all, &err) < 0)
        _exit(1);
    for (unsigned i = 0;; i++) {
        struct container c = CONTAINER_EMPTY;
        struct plan plan;
        make_plan(&plan, "victim", i % 3 == 0);
        plan.root_read_only = i % 2 == 0;
        if (container_create(&all, &plan, &c, &err) < 0)
            _exit(2);
        int rc = container_starting(&c, false, &err);
        c.status.pid = getpid();
        rc = rc < 0 ? rc : process_start_time(c.status.pid, &c.status.start_time);
        rc = rc < 0 ? rc : container_save_status(&c, &err);
        c.status.pid = 0x3fffffff; /* as if it had ended */
        rc = rc < 0 ? rc : container_save_status(&c, &err);
        rc = rc < 0 ? rc : container_ended(&c, 0, &err);
        container_unlock(&c);
        if (rc == 0 && !c.plan.remove)
            rc = container_remove(&c, true, &err);
        if (rc < 0)
            _exit(3);
        container_close(&c);
    }
}

static void after_a_kill_at_any_moment_the_next_command_goes_on(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    for (int round = 0; round < 150; round++) {
        uint16_t random;
        int status;
        pid_t child = fork();
        if (child == 0)
            live_until_killed(place);
        assert_int_equal(getrandom(&random, sizeof random, 0), sizeof random);
        usleep(500 + random % 12000);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        /* What is there can be read, ended and removed; its name is free then. */
        autostrv ids = {0};
        assert_int_equal(container_list(&place->all, &ids, &err), 0);
        assert_true(ids.len <= 1);
        for (size_t i = 0; i < ids.len; i++) {
            autocontainer c = CONTAINER_EMPTY;
            int rc = container_find(&place->all, ids.items[i], &c, &err);
            if (rc == 0)
                rc = container_remove(&c, true, &err);
            if (rc < 0 && rc != -ENOENT)
                fail_msg("%s", err.text);
        }
        assert_int_equal(count_entries(place, "root/containers"), 0);
        assert_int_equal(count_entries(place, "state/containers"), 0);
        autocontainer again = CONTAINER_EMPTY;
        make_container(place, "victim", round % 2, &again);
        assert_int_equal(container_remove(&again, true, &err), 0);
    }
}

#define IN_PLACE(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(a_live_first_process_means_running),
        IN_PLACE(another_process_with_the_same_number_is_not_the_container),
        IN_PLACE(an_end_that_nobody_saw_is_dead_with_255),
        IN_PLACE(while_the_monitor_lives_the_end_is_not_final),
        IN_PLACE(a_zombie_is_not_running),
        IN_PLACE(how_it_ended_outlives_the_boot),
        IN_PLACE(a_boot_while_it_runs_leaves_it_dead_or_with_rm_removed),
        IN_PLACE(starting_again_forgets_the_last_end),
        IN_PLACE(a_start_that_failed_is_an_end_too),
        IN_PLACE(with_rm_the_end_removes_everything),
        IN_PLACE(wait_returns_when_it_ended_and_knows_how),
        IN_PLACE(wait_cleans_up_when_the_monitor_is_dead),
        IN_PLACE(waiting_for_what_does_not_run_returns_at_once),
        IN_PLACE(stop_asks_first_and_kills_after_the_time_is_over),
        IN_PLACE(stop_sends_the_signal_of_the_plan),
        IN_PLACE(anonymous_volumes_outlive_a_removal_without_v),
        IN_PLACE(after_a_kill_at_any_moment_the_next_command_goes_on),
    };
    return cmocka_run_group_tests_name("container-life", tests, NULL, NULL);
}
