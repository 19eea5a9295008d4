/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/change.h"

#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"

#define SPACES " \t\r\n"

static void replace(char **field, const char *value)
{
    free(*field);
    *field = xstrdup(value);
}

static void put_unique(struct strv *list, const char *value)
{
    if (!strv_has(list, value))
        strv_add(list, value);
}

/* Sets "key=value", in place when the key is there already. */
static void put_pair(struct strv *list, const char *pair)
{
    size_t length = (size_t)(strchrnul(pair, '=') - pair);
    for (size_t i = 0; i < list->len; i++)
        if (strncmp(list->items[i], pair, length) == 0 && list->items[i][length] == '=') {
            replace(&list->items[i], pair);
            return;
        }
    strv_add(list, pair);
}

/* Splits at spaces outside of quotes; '...' is taken as it is, in "..." and outside a backslash
 * takes the special meaning off the next character. */
static int split_words(const char *text, struct strv *out, struct error *err)
{
    for (;;) {
        autobuf word = {0};
        char quote = 0;
        text += strspn(text, SPACES);
        if (!*text)
            return 0;
        for (; *text && (quote || !strchr(SPACES, *text)); text++) {
            if (*text == '\\' && quote != '\'' && text[1])
                buf_char(&word, *++text);
            else if (quote ? *text == quote : *text == '"' || *text == '\'')
                quote = quote ? 0 : *text;
            else
                buf_char(&word, *text);
        }
        if (quote)
            return error_set(err, -EINVAL, "a quotation mark (%c) is not closed", quote);
        strv_add(out, buf_text(&word));
    }
}

/* ["a", "b"]; false when it is none (then it is taken as text, as Docker does). */
static bool json_words(const char *text, struct strv *out)
{
    if (*text != '[')
        return false;
    autojson json = json_parse(text, strlen(text), "", NULL);
    size_t i;
    json_t *item;
    if (!json)
        return false;
    json_array_foreach(json, i, item) if (!json_is_string(item)) return false;
    json_array_foreach(json, i, item) strv_add(out, json_string_value(item));
    return true;
}

/* A command: JSON is executed as it is, anything else by the shell. */
static void set_command(const struct image_config *config, const char *text, struct strv *out)
{
    autostrv words = {0};
    if (!json_words(text, &words)) {
        if (config->shell.len > 0) {
            strv_copy(&words, &config->shell);
        } else {
            strv_add(&words, "/bin/sh");
            strv_add(&words, "-c");
        }
        strv_add(&words, text);
    }
    struct strv old = *out;
    *out = words;
    words = old;
}

static int change_cmd(struct image_config *config, const char *text, struct error *err)
{
    (void)err;
    set_command(config, text, &config->command);
    return 0;
}

static int change_entrypoint(struct image_config *config, const char *text, struct error *err)
{
    (void)err;
    set_command(config, text, &config->entrypoint);
    return 0;
}

static int change_shell(struct image_config *config, const char *text, struct error *err)
{
    autostrv words = {0};
    if (!json_words(text, &words) || words.len == 0)
        return error_set(err, -EINVAL, "SHELL takes a JSON array, as in [\"/bin/sh\", \"-c\"]");
    struct strv old = config->shell;
    config->shell = words;
    words = old;
    return 0;
}

/* KEY=VALUE …, or the old form KEY VALUE. */
static int change_pairs(struct strv *list, const char *text, struct error *err)
{
    autostrv words = {0};
    size_t first = strcspn(text, SPACES "=");
    if (first == 0)
        return error_set(err, -EINVAL, "a name is missing before '='");
    if (text[first] != '=') {
        const char *value = text + first + strspn(text + first, SPACES);
        if (!*value)
            return error_set(err, -EINVAL, "it is written NAME=VALUE");
        autofree char *pair = xasprintf("%.*s=%s", (int)first, text, value);
        put_pair(list, pair);
        return 0;
    }
    int rc = split_words(text, &words, err);
    for (size_t i = 0; rc == 0 && i < words.len; i++)
        if (words.items[i][0] == '=' || !strchr(words.items[i], '='))
            rc = error_set(err, -EINVAL, "\"%.100s\" is not NAME=VALUE", words.items[i]);
    for (size_t i = 0; rc == 0 && i < words.len; i++)
        put_pair(list, words.items[i]);
    return rc;
}

static int change_env(struct image_config *config, const char *text, struct error *err)
{
    return change_pairs(&config->env, text, err);
}

static int change_label(struct image_config *config, const char *text, struct error *err)
{
    return change_pairs(&config->labels, text, err);
}

/* PORT, PORT-PORT, each with /tcp, /udp or /sctp. */
static int expose_one(struct image_config *config, const char *word, struct error *err)
{
    autofree char *copy = xstrdup(word);
    char *protocol = strchr(copy, '/');
    if (protocol)
        *protocol++ = '\0';
    char *end = strchr(copy, '-');
    if (end)
        *end++ = '\0';
    uint64_t from, to;
    if (parse_u64(copy, 65535, &from) < 0 || parse_u64(end ? end : copy, 65535, &to) < 0 ||
        from == 0 || to < from ||
        (protocol && !streq(protocol, "tcp") && !streq(protocol, "udp") &&
         !streq(protocol, "sctp")))
        return error_set(err, -EINVAL, "\"%.60s\" is no port: write 80, 80/udp or 8000-8010", word);
    for (uint64_t port = from; port <= to; port++) {
        autofree char *text =
            xasprintf("%llu/%s", (unsigned long long)port, protocol ? protocol : "tcp");
        put_unique(&config->ports, text);
    }
    return 0;
}

static int change_expose(struct image_config *config, const char *text, struct error *err)
{
    autostrv words = {0};
    int rc = split_words(text, &words, err);
    for (size_t i = 0; rc == 0 && i < words.len; i++)
        rc = expose_one(config, words.items[i], err);
    return rc;
}

static int change_volume(struct image_config *config, const char *text, struct error *err)
{
    autostrv words = {0};
    int rc = json_words(text, &words) ? 0 : split_words(text, &words, err);
    for (size_t i = 0; rc == 0 && i < words.len; i++)
        if (words.items[i][0] != '/')
            rc = error_set(err, -EINVAL, "the volume \"%.100s\" is no absolute path",
                           words.items[i]);
    for (size_t i = 0; rc == 0 && i < words.len; i++)
        put_unique(&config->volumes, words.items[i]);
    return rc;
}

static int one_word(const char *text, char **field, struct error *err)
{
    autostrv words = {0};
    int rc = split_words(text, &words, err);
    if (rc == 0 && words.len != 1)
        rc = error_set(err, -EINVAL, "it takes exactly one argument");
    if (rc == 0)
        replace(field, words.items[0]);
    return rc;
}

static int change_user(struct image_config *config, const char *text, struct error *err)
{
    return one_word(text, &config->user, err);
}

static int change_stop_signal(struct image_config *config, const char *text, struct error *err)
{
    return one_word(text, &config->stop_signal, err);
}

/* A relative directory continues the one before. */
static int change_working_dir(struct image_config *config, const char *text, struct error *err)
{
    (void)err;
    bool relative = text[0] != '/';
    const char *base = relative && config->working_dir ? config->working_dir : "";
    autofree char *path =
        xasprintf("%s/%s", streq(base, "/") ? "" : base, relative ? text : text + 1);
    replace(&config->working_dir, relative ? path : text);
    return 0;
}

static int change_on_build(struct image_config *config, const char *text, struct error *err)
{
    static const char *const not_here[] = {"ONBUILD", "FROM", "MAINTAINER", NULL};
    for (size_t i = 0; not_here[i]; i++)
        if (strncasecmp(text, not_here[i], strlen(not_here[i])) == 0)
            return error_set(err, -EINVAL, "ONBUILD may not hold %s", not_here[i]);
    strv_add(&config->on_build, text);
    return 0;
}

static int health_flag(struct health_check *health, const char *word, struct error *err)
{
    const struct {
        const char *name;
        int64_t *value;
    } durations[] = {{"--interval=", &health->interval},
                     {"--timeout=", &health->timeout},
                     {"--start-period=", &health->start_period},
                     {"--start-interval=", &health->start_interval}};
    uint64_t count;
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        if (!starts_with(word, durations[i].name))
            continue;
        if (parse_duration(word + strlen(durations[i].name), durations[i].value) < 0)
            return error_set(err, -EINVAL, "%.60s: that is no duration such as 30s", word);
        return 0;
    }
    if (starts_with(word, "--retries=") &&
        parse_u64(word + strlen("--retries="), 1000000, &count) == 0) {
        health->retries = (int64_t)count;
        return 0;
    }
    return error_set(err, -EINVAL,
                     "\"%.60s\" is none of --interval=, --timeout=, --start-period=, "
                     "--start-interval=, --retries=",
                     word);
}

static void free_health(struct health_check *health)
{
    strv_free(&health->test);
}

static int change_health(struct image_config *config, const char *text, struct error *err)
{
    __attribute__((cleanup(free_health))) struct health_check health = {0};
    autostrv words = {0};
    while (starts_with(text, "--")) {
        autofree char *flag = xstrndup(text, strcspn(text, SPACES));
        int rc = health_flag(&health, flag, err);
        if (rc < 0)
            return rc;
        text += strlen(flag);
        text += strspn(text, SPACES);
    }
    size_t length = strcspn(text, SPACES);
    const char *rest = text + length + strspn(text + length, SPACES);
    if (length == 4 && strncasecmp(text, "NONE", 4) == 0 && !*rest) {
        strv_add(&health.test, "NONE");
    } else if (length == 3 && strncasecmp(text, "CMD", 3) == 0 && *rest) {
        bool json = json_words(rest, &words);
        strv_add(&health.test, json ? "CMD" : "CMD-SHELL");
        if (json)
            strv_copy(&health.test, &words);
        else
            strv_add(&health.test, rest);
    } else {
        return error_set(err, -EINVAL, "HEALTHCHECK is followed by CMD COMMAND or by NONE");
    }
    struct health_check old = config->health;
    config->health = health;
    health = old;
    return 0;
}

int image_config_change(struct image_config *config, const char *instruction, struct error *err)
{
    static const struct {
        const char *name;
        int (*change)(struct image_config *, const char *, struct error *);
    } instructions[] = {
        {"CMD", change_cmd},          {"ENTRYPOINT", change_entrypoint},
        {"ENV", change_env},          {"EXPOSE", change_expose},
        {"LABEL", change_label},      {"USER", change_user},
        {"VOLUME", change_volume},    {"WORKDIR", change_working_dir},
        {"SHELL", change_shell},      {"STOPSIGNAL", change_stop_signal},
        {"ONBUILD", change_on_build}, {"HEALTHCHECK", change_health},
    };
    instruction += strspn(instruction, SPACES);
    size_t length = strcspn(instruction, SPACES);
    autofree char *word = xstrndup(instruction, length);
    autofree char *rest = xstrdup(instruction + length + strspn(instruction + length, SPACES));
    size_t end = strlen(rest);
    while (end > 0 && strchr(SPACES, rest[end - 1]))
        rest[--end] = '\0';
    for (size_t i = 0; i < sizeof instructions / sizeof *instructions; i++) {
        if (strcasecmp(word, instructions[i].name) != 0)
            continue;
        int rc = *rest ? instructions[i].change(config, rest, err)
                       : error_set(err, -EINVAL, "nothing follows");
        return rc < 0 ? error_prefix(err, "--change \"%.100s\"", instruction) : 0;
    }
    return error_set(err, -EINVAL,
                     "--change \"%.100s\": no such instruction; there are CMD, ENTRYPOINT, ENV, "
                     "EXPOSE, HEALTHCHECK, LABEL, ONBUILD, SHELL, STOPSIGNAL, USER, VOLUME and "
                     "WORKDIR",
                     instruction);
}
