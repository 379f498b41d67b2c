// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

// Times a socket-activated cold start, with nothing between the clock and the daemon.
//
//   activate --socket PATH --token TOKEN --count N -- COMMAND ARGUMENT…
//
// Each time: listen on PATH, connect, send one request, start the clock, fork and exec COMMAND with the socket as
// descriptor 3 (LISTEN_FDS and LISTEN_PID as systemd sets them, NGINX=3; for nginx), stop the clock when the whole
// answer is here, end the daemon. Prints {"us":[…],"failures":N}.
#define _GNU_SOURCE
#include "http.h"

#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT_MS = 10000 };

static struct sockaddr_un address = {.sun_family = AF_UNIX};

static _Noreturn void become(char **command, int listener) {
    char pid[16];
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (listener != 3) dup2(listener, 3);
    snprintf(pid, sizeof pid, "%d", getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "1", 1);
    setenv("NGINX", "3;", 1);
    dup2(2, 1); // our standard output is the result
    execvp(command[0], command);
    die(command[0]);
}
/// true: a complete 200 with the expected body.
static bool await_answer(int fd, pid_t child) {
    char answer[16384];
    size_t length = 0;
    for (int64_t limit = now_ns() + LIMIT_MS * INT64_C(1000000); now_ns() < limit;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 100) <= 0) {
            siginfo_t gone = {0};
            if (waitid(P_PID, child, &gone, WEXITED | WNOHANG | WNOWAIT) == 0 && gone.si_pid == child) return false;
            continue;
        }
        ssize_t n = recv(fd, answer + length, sizeof answer - length, 0);
        if (n <= 0) return false;
        length += n;
        if (memmem(answer, length, completion, completion_length)) return !memcmp(answer, "HTTP/1.1 200", 12);
    }
    return false;
}
static void end(pid_t child) {
    kill(child, SIGTERM);
    for (int i = 0; i < 1000 && waitpid(child, NULL, WNOHANG) == 0; i++) {
        usleep(3000);
        if (i == 999) kill(-child, SIGKILL);
    }
    kill(-child, SIGKILL);
    waitpid(child, NULL, 0);
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"socket", 1, 0, 's'}, {"token", 1, 0, 't'}, {"count", 1, 0, 'n'}, {0}};
    const char *token = "";
    int count = 1, failures = 0;
    for (int o; (o = getopt_long(argc, argv, "+", options, NULL)) != -1;) {
        if (o == 's' && strlen(optarg) < sizeof address.sun_path) strcpy(address.sun_path, optarg);
        else if (o == 't') token = optarg;
        else if (o == 'n') count = atoi(optarg);
        else return 2;
    }
    if (optind == argc || !address.sun_path[0]) return 2;
    size_t length, counter;
    char *request = build_request("{\"model\":\"gpt-bench\",", 1024, token, &length, &counter);
    printf("{\"us\":[");
    for (int i = 0, printed = 0; i < count; i++) {
        unlink(address.sun_path);
        int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (bind(listener, (void *)&address, sizeof address) || listen(listener, 128)) die("listen");
        if (connect(client, (void *)&address, sizeof address)) die("connect");
        if (send(client, request, length, MSG_NOSIGNAL) != (ssize_t)length) die("send");
        fflush(stdout);
        int64_t begin = now_ns();
        pid_t child = fork();
        if (child < 0) die("fork");
        if (child == 0) become(argv + optind, listener);
        if (await_answer(client, child)) printf("%s%.1f", printed++ ? "," : "", (now_ns() - begin) / 1000.0);
        else failures++;
        close(client);
        close(listener);
        end(child);
    }
    unlink(address.sun_path);
    printf("],\"failures\":%d}\n", failures);
    return 0;
}
