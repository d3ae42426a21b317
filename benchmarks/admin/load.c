// A load generator for HTTP over mutual TLS 1.3: keep-alive connections, one thread each, requests
// one after the other. Prints requests a second and the quantiles of the time to an answer.
// cc -O2 load.c -lssl -lcrypto -lpthread -o load
// load HOST PORT CA CERTIFICATE KEY SECONDS THREADS PATH...
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SAMPLES_MAX = 4000000, BUFFER = 1 << 20 };

static SSL_CTX *context;
static const char *host, *port;
static char **paths;
static int path_count;
static double seconds;
static uint32_t *samples;
static atomic_size_t sample_count;
static atomic_size_t failures;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static SSL *connect_to_server(int *descriptor) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *address;
    if (getaddrinfo(host, port, &hints, &address) != 0) return NULL;
    *descriptor = socket(address->ai_family, SOCK_STREAM, 0);
    int yes = 1;
    setsockopt(*descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (connect(*descriptor, address->ai_addr, address->ai_addrlen) != 0) return NULL;
    freeaddrinfo(address);
    SSL *connection = SSL_new(context);
    SSL_set_fd(connection, *descriptor);
    SSL_set_tlsext_host_name(connection, "localhost");
    return SSL_connect(connection) == 1 ? connection : NULL;
}

// Reads one answer with a content length. 0 where it is no 200.
static int answer(SSL *connection, char *buffer) {
    size_t held = 0;
    char *end = NULL;
    while (!end) {
        int count = SSL_read(connection, buffer + held, (int)(BUFFER - 1 - held));
        if (count <= 0) return 0;
        held += (size_t)count;
        buffer[held] = 0;
        end = strstr(buffer, "\r\n\r\n");
    }
    char *length = strcasestr(buffer, "content-length:");
    if (!length || strncmp(buffer, "HTTP/1.1 200", 12) != 0) return 0;
    size_t want = (size_t)(end - buffer) + 4 + strtoul(length + 15, NULL, 10);
    while (held < want) {
        int count = SSL_read(connection, buffer + held, (int)(BUFFER - 1 - held));
        if (count <= 0) return 0;
        held += (size_t)count;
    }
    return 1;
}

static void *work(void *argument) {
    (void)argument;
    char *buffer = malloc(BUFFER), request[512];
    int descriptor = -1;
    SSL *connection = connect_to_server(&descriptor);
    double start = now();
    for (int turn = 0; connection && now() - start < seconds; turn++) {
        int length = snprintf(request, sizeof request,
            "GET %s HTTP/1.1\r\nHost: localhost:%s\r\nAccept: application/json\r\n\r\n",
            paths[turn % path_count], port);
        double asked = now();
        if (SSL_write(connection, request, length) <= 0 || !answer(connection, buffer)) {
            failures++;
            break;
        }
        size_t index = sample_count++;
        if (index < SAMPLES_MAX) samples[index] = (uint32_t)((now() - asked) * 1e6);
    }
    if (!connection) failures++;
    free(buffer);
    close(descriptor);
    return NULL;
}

static int ascending(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

int main(int count, char **arguments) {
    if (count < 9) return 64;
    host = arguments[1], port = arguments[2];
    seconds = atof(arguments[6]);
    int threads = atoi(arguments[7]);
    paths = arguments + 8, path_count = count - 8;
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_load_verify_locations(context, arguments[3], NULL);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_use_certificate_file(context, arguments[4], SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, arguments[5], SSL_FILETYPE_PEM) != 1) return 66;
    samples = malloc(SAMPLES_MAX * sizeof *samples);
    pthread_t ids[256];
    double start = now();
    for (int i = 0; i < threads && i < 256; i++) pthread_create(&ids[i], NULL, work, NULL);
    for (int i = 0; i < threads && i < 256; i++) pthread_join(ids[i], NULL);
    double spent = now() - start;
    size_t done = sample_count;
    qsort(samples, done, sizeof *samples, ascending);
    if (done == 0) return 1;
    printf("{\"requests_per_second\": %.0f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"failures\": %zu}\n",
        done / spent, samples[done / 2] / 1e3, samples[done * 99 / 100] / 1e3, (size_t)failures);
    return 0;
}
