#include "peer/shell/signals.hpp"

#include <csignal>
#include <pthread.h>
#include <signal.h>

namespace ppsp::peer {
namespace {

std::sig_atomic_t volatile stop_requested = 0; // written by the signal handler

void request_stop(int /*signal*/)
{
    stop_requested = 1;
}

} // namespace

void handle_stop_signals()
{
    struct sigaction action = {};
    action.sa_handler = request_stop;
    // No SA_RESTART: a write that blocks has to notice.
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    struct sigaction ignore = {};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &ignore, nullptr);
}

bool is_stop_requested()
{
    return stop_requested != 0;
}

std::thread start_without_signals(std::function<void()> body)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread thread(std::move(body));
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return thread;
}

} // namespace ppsp::peer
