#pragma once

#include <functional>
#include <thread>

namespace ppsp::peer {

/// SIGINT and SIGTERM ask the program to leave cleanly; a second one ends it at once. Writing to a
/// pipe without a reader gives an error instead of a signal. Once, before threads start.
void handle_stop_signals();

[[nodiscard]] bool is_stop_requested();

/// Signals are the main thread's business: they must not interrupt the system calls of others.
[[nodiscard]] std::thread start_without_signals(std::function<void()> body);

} // namespace ppsp::peer
