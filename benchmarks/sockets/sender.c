/*
 * The charging side of the socket benchmarks: many connections of one process, epoll, frames encoded beforehand.
 *
 *   sender HOST PORT bulk TRAFFIC CONNECTIONS LOGIN BODY TAIL PROBES
 *   sender HOST PORT segments TRAFFIC CONNECTIONS LOGIN BODY TAIL SECONDS
 *   sender HOST PORT storm TRAFFIC CONNECTIONS LOGIN BODY TAIL FIRST
 *   sender HOST PORT flood TRAFFIC CONNECTIONS LOGIN BODY TAIL SECONDS
 *
 * and, behind these, the address to connect from, if that matters.
 *
 * TRAFFIC holds, for each connection, LOGIN + BODY + TAIL bytes, one after the other. All connect and log in first; then
 * "ready" is printed, and a line on stdin begins what is measured.
 *   bulk:     each connection sends its BODY as fast as the socket takes it, then TAIL, a record, and is done when the
 *             record is acknowledged. Meanwhile PROBES connections (behind the others in TRAFFIC, BODY bytes too, of
 *             which the first HEARTBEAT_BYTES are a heartbeat) connect, log in and send a heartbeat every 100 ms: what
 *             they wait is what a charger waits while others flood.
 *   segments: each connection has one heartbeat (the first HEARTBEAT_BYTES of BODY) under way; the next leaves when its
 *             answer has come.
 *   storm:    "ready" comes before anybody connects. Then all do at once, log in, send BODY and TAIL, and are done when the
 *             record is acknowledged; what each waited from its first attempt to that is told. FIRST connections of
 *             TRAFFIC belong to other processes. A record that is acknowledged again within a second counts as `again`.
 *             Who is done sends a heartbeat (the first HEARTBEAT_BYTES of BODY) every 10 s.
 *   flood:    each connection sends its BODY as fast as the socket takes it, again and again for SECONDS.
 * The result is one line of JSON on stdout. Exit 1 with a message when a connection is lost, or a login or record refused.
 */
#define _GNU_SOURCE
#include "charger_lines.h"

enum {
    HEARTBEAT_BYTES = 17,
    PROBE_EVERY_US = 100000,
    LISTEN_ON_US = 1000000,
    BEAT_EVERY_US = 10000000,
};

static const uint8_t *traffic;
static size_t login_bytes, body_bytes, tail_bytes;
static struct connection *connections;
static struct waits waits; /* of every answer that is measured */
static struct waits login_waits;

static void send_heartbeat(struct connection *connection, int64_t at_us) {
    connection->sent = 0;
    connection->asked_us = at_us;
    if (!send_some(connection, connection->traffic + login_bytes, HEARTBEAT_BYTES)) die("a heartbeat found no room");
}

static void log_all_in(int count) {
    int begun = 0, in = 0;
    struct epoll_event events[EVENTS];
    int64_t until_us = now_us() + PATIENCE_US;
    while (in < count) {
        while (begun < count && begun - in < CONNECTING_AT_ONCE) connect_one(&connections[begun++]);
        int ready = epoll_wait(poller, events, EVENTS, 1000);
        for (int i = 0; i < ready; i++) {
            struct connection *connection = events[i].data.ptr;
            if (connection->state == CONNECTING) {
                go_on_with_login(connection, login_bytes, events[i].events, &login_waits);
                in += connection->state == LOGGED_IN;
            } else {
                sure_answers(connection);
            }
        }
        if (now_us() > until_us) die("not all could log in");
    }
}

static void print_result(double seconds, uint64_t bytes, int again) {
    printf("{\"seconds\": %.6f, \"bytes\": %llu, \"answers\": %zu, \"again\": %d, \"peak_kib\": %ld, ", seconds,
           (unsigned long long)bytes, waits.count, again, peak_kib());
    print_waits("wait_ms", &waits);
    printf(", ");
    print_waits("login_ms", &login_waits);
    printf("}\n");
}

static void go_on_with_bulk(struct connection *connection, uint32_t events, int *left) {
    if (connection->state == SENDING &&
        send_some(connection, connection->traffic + login_bytes, body_bytes + tail_bytes))
        connection->state = WAITING;
    if (events & EPOLLIN && sure_answers(connection).records) {
        connection->state = DONE;
        --*left;
    }
}

static void go_on_with_probe(struct connection *probe, uint32_t events, int64_t at_us) {
    if (probe->state == CONNECTING) {
        go_on_with_login(probe, login_bytes, events, &login_waits);
        if (probe->state == LOGGED_IN) send_heartbeat(probe, at_us);
    } else if (events & EPOLLIN && sure_answers(probe).heartbeats) {
        note_wait(&waits, at_us - probe->asked_us);
        probe->asked_us = 0;
    }
}

static void bulk(int count, int probes) {
    int left = count, probes_begun = 0;
    login_waits.count = 0; /* from here on those of the probes */
    struct epoll_event events[EVENTS];
    int64_t begin_us = now_us(), next_probe_us = begin_us, done_us;
    for (int i = 0; i < count; i++) {
        connections[i].state = SENDING;
        connections[i].sent = 0;
        watch(&connections[i], 1);
    }
    while (left > 0) {
        int ready = epoll_wait(poller, events, EVENTS, 10);
        int64_t at_us = now_us();
        for (int i = 0; i < ready; i++) {
            struct connection *connection = events[i].data.ptr;
            if (connection - connections < count)
                go_on_with_bulk(connection, events[i].events, &left);
            else
                go_on_with_probe(connection, events[i].events, at_us);
        }
        if (probes && at_us >= next_probe_us) {
            next_probe_us = at_us + PROBE_EVERY_US;
            if (probes_begun < probes) connect_one(&connections[count + probes_begun++]);
            for (int i = 0; i < probes_begun; i++) {
                struct connection *probe = &connections[count + i];
                if (probe->state == LOGGED_IN && !probe->asked_us) send_heartbeat(probe, at_us);
            }
        }
        if (at_us - begin_us > PATIENCE_US) die("not every record was acknowledged");
    }
    done_us = now_us();
    for (int i = 0; i < probes_begun; i++) /* what still waits has waited so long already */
        if (connections[count + i].asked_us)
            note_wait(connections[count + i].state == CONNECTING ? &login_waits : &waits,
                      done_us - connections[count + i].asked_us);
    print_result((done_us - begin_us) / 1e6, (uint64_t)count * (body_bytes + tail_bytes), 0);
}

/* Gives how many records were acknowledged. */
static int go_on_with_storm(struct connection *connection, uint32_t events, int64_t at_us) {
    if (connection->state == CONNECTING) {
        int64_t began_us = connection->asked_us;
        go_on_with_login(connection, login_bytes, events, &login_waits);
        if (connection->state != LOGGED_IN) return 0;
        connection->asked_us = began_us; /* the login is a part of what is waited for */
        connection->state = SENDING;
        connection->sent = 0;
    }
    if (connection->state == SENDING &&
        send_some(connection, connection->traffic + login_bytes, body_bytes + tail_bytes))
        connection->state = WAITING;
    int acknowledged = events & EPOLLIN ? sure_answers(connection).records : 0;
    if (acknowledged && connection->state != DONE) {
        connection->state = DONE;
        note_wait(&waits, at_us - connection->asked_us);
        connection->asked_us = at_us; /* from here on its last sign of life */
    }
    return acknowledged;
}

static void storm(int count) {
    int acknowledged = 0;
    struct epoll_event events[EVENTS];
    int64_t begin_us = now_us(), at_us = begin_us, next_look_us = begin_us, done_us = 0;
    for (int i = 0; i < count; i++) connect_one(&connections[i]);
    while (!done_us || at_us - done_us < LISTEN_ON_US) {
        int ready = epoll_wait(poller, events, EVENTS, 10);
        at_us = now_us();
        for (int i = 0; i < ready; i++) acknowledged += go_on_with_storm(events[i].data.ptr, events[i].events, at_us);
        if (waits.count == (size_t)count && !done_us) done_us = at_us;
        if (at_us > next_look_us) {
            next_look_us = at_us + LISTEN_ON_US;
            for (int i = 0; i < count; i++)
                if (connections[i].state == DONE && at_us - connections[i].asked_us > BEAT_EVERY_US)
                    send_heartbeat(&connections[i], at_us);
        }
        if (at_us - begin_us > PATIENCE_US) die("not every record was acknowledged");
    }
    uint64_t bytes = (uint64_t)count * (login_bytes + body_bytes + tail_bytes);
    print_result((done_us - begin_us) / 1e6, bytes, acknowledged - count);
}

static void flood(int count, double seconds) {
    struct epoll_event events[EVENTS];
    uint64_t bytes = 0;
    int64_t begin_us = now_us(), end_us = begin_us + (int64_t)(seconds * 1e6), at_us = begin_us;
    for (int i = 0; i < count; i++) {
        connections[i].sent = 0;
        watch(&connections[i], 1);
    }
    while (at_us < end_us) {
        int ready = epoll_wait(poller, events, EVENTS, 10);
        at_us = now_us();
        for (int i = 0; i < ready; i++) {
            struct connection *connection = events[i].data.ptr;
            if (events[i].events & EPOLLIN) sure_answers(connection);
            if (!(events[i].events & EPOLLOUT)) continue;
            size_t before = connection->sent;
            send_some(connection, connection->traffic + login_bytes, body_bytes);
            bytes += connection->sent - before;
            if (connection->sent == body_bytes) connection->sent = 0;
            watch(connection, 1);
        }
    }
    print_result((at_us - begin_us) / 1e6, bytes, 0);
}

static void segments(int count, double seconds) {
    struct epoll_event events[EVENTS];
    int64_t begin_us = now_us(), end_us = begin_us + (int64_t)(seconds * 1e6), at_us = begin_us;
    for (int i = 0; i < count; i++) send_heartbeat(&connections[i], begin_us);
    while (at_us < end_us) {
        int ready = epoll_wait(poller, events, EVENTS, 10);
        at_us = now_us();
        for (int i = 0; i < ready; i++) {
            struct connection *connection = events[i].data.ptr;
            if (!sure_answers(connection).heartbeats) continue;
            note_wait(&waits, at_us - connection->asked_us);
            send_heartbeat(connection, at_us);
        }
    }
    print_result((at_us - begin_us) / 1e6, (uint64_t)waits.count * HEARTBEAT_BYTES, 0);
}

int main(int argc, char **argv) {
    if (argc != 10 && argc != 11) {
        fprintf(stderr, "usage: sender HOST PORT bulk|segments|storm|flood TRAFFIC CONNECTIONS LOGIN BODY TAIL "
                        "PROBES|SECONDS|FIRST [SOURCE]\n");
        return 2;
    }
    const char *mode = argv[3];
    int count = atoi(argv[5]), is_storm = !strcmp(mode, "storm");
    int probes = strcmp(mode, "bulk") ? 0 : atoi(argv[9]), first = is_storm ? atoi(argv[9]) : 0;
    login_bytes = strtoull(argv[6], NULL, 10);
    body_bytes = strtoull(argv[7], NULL, 10);
    tail_bytes = strtoull(argv[8], NULL, 10);
    size_t each = login_bytes + body_bytes + tail_bytes, size;
    traffic = mapped(argv[4], &size);
    if (size < (first + count + probes) * each) die("the traffic is too short");
    open_lines(argv[1], argv[2], argc > 10 ? argv[10] : NULL);
    connections = calloc(count + probes, sizeof *connections);
    if (connections == NULL) die("memory");
    for (int i = 0; i < count + probes; i++) connections[i].traffic = traffic + (first + i) * each;
    if (!is_storm) log_all_in(count);
    printf("ready\n");
    fflush(stdout);
    char line[16];
    if (fgets(line, sizeof line, stdin) == NULL) die("nobody said when to begin");
    if (!strcmp(mode, "bulk"))
        bulk(count, probes);
    else if (is_storm)
        storm(count);
    else if (!strcmp(mode, "flood"))
        flood(count, atof(argv[9]));
    else
        segments(count, atof(argv[9]));
    return 0;
}
