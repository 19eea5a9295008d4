/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "registry/wire.h"
#include "transport/transport.h"

#define FIRST_LANE 3

struct lane {
    struct settings *settings;
    int fd;
    pthread_t thread;
};

/* One question; -EPIPE when there are no more. */
static int serve_one(CURL *curl, const struct lane *lane)
{
    autoquestion question = {0};
    autobuf text = {0};
    struct wire_frame frame;
    struct error err = {0};
    int rc = wire_receive(lane->fd, &frame);
    if (rc == 0 && frame.kind != WIRE_HEAD)
        rc = -EPROTO;
    if (rc == 0)
        rc = wire_text(lane->fd, &frame, &text);
    if (rc < 0)
        return rc;
    buf_room(&text, 0)[0] = '\0'; /* also of none */
    rc = question_read(text.data, lane->settings, &question, &err);
    if (rc == 0)
        return exchange_run(curl, lane->settings, lane->fd, &question);
    autobuf said = {0};
    buf_fmt(&said, "%d %s", -rc, err.text);
    rc = wire_send(lane->fd, WIRE_ERROR, said.data, said.len);
    return rc < 0 ? rc : -EPROTO; /* what would follow is not to be told apart from a question */
}

static void *serve_lane(void *closure)
{
    const struct lane *lane = closure;
    CURL *curl = curl_easy_init();
    int rc = curl ? 0 : -ENOMEM;
    while (rc >= 0)
        rc = serve_one(curl, lane);
    curl_easy_cleanup(curl);
    close(lane->fd);
    return NULL;
}

int serve(struct settings *settings, struct error *err)
{
    struct lane lanes[WIRE_LANES_MAX];
    size_t started = 0;
    int rc = 0;
    for (; rc == 0 && started < settings->lanes; started++) {
        lanes[started] = (struct lane){.settings = settings, .fd = FIRST_LANE + (int)started};
        rc = pthread_create(&lanes[started].thread, NULL, serve_lane, &lanes[started]);
    }
    if (rc != 0)
        return error_set(err, -rc, "cannot start a thread: %s", error_describe(rc));
    for (size_t i = 0; i < started; i++)
        pthread_join(lanes[i].thread, NULL);
    return 0;
}
