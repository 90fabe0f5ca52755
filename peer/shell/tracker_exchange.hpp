#pragma once

#include "peer/shell/backoff.hpp"
#include "peer/shell/channel_link.hpp"
#include "peer/shell/tracker_timers.hpp"
#include "protocol/net/http_client.hpp"
#include "protocol/ppstp/messages.hpp"

#include <functional>
#include <memory>

namespace ppsp::peer {

/// One request, one valid answer: repeats with the same transaction id what got none (TP-4.3-a),
/// waits longer each time, and goes on to the next tracker when one keeps failing.
class TrackerExchange {
public:
    /// Failures of a tracker in a row after which the next one is asked; while urgent, one.
    static constexpr int failures_per_tracker = 3;

    struct Options {
        std::vector<TrackerTier> trackers; ///< not empty, and no tier is
        std::string ca_file;               ///< empty = the system's authorities
        TrackerTimers timers;
        std::function<void(std::string const&)> message;
    };

    TrackerExchange(net::any_io_executor executor, Options options, Rng rng);

    /// Nullopt after `attempts` failures, or when it was ended.
    [[nodiscard]] net::awaitable<std::optional<ppstp::Response>> ask(ppstp::Request request,
                                                                     int attempts);
    /// Sends without caring for the answer, even after `end`.
    [[nodiscard]] net::awaitable<void> tell(ppstp::Request request,
                                            std::chrono::milliseconds timeout);
    /// Waits as after a failure: for answers that are valid but no success.
    [[nodiscard]] net::awaitable<void> pause();
    /// Breaks off what is under way and refuses further requests.
    void end();

    /// While the user waits, retries come sooner.
    void set_urgent(bool is_urgent) { is_urgent_ = is_urgent; }
    [[nodiscard]] TrackerAddress const& tracker() const;
    [[nodiscard]] bool has_been_answered() const { return has_been_answered_; }

private:
    struct Attempt;
    [[nodiscard]] net::awaitable<Attempt> try_once(std::string body, std::string transaction_id);
    [[nodiscard]] net::awaitable<void> wait(Duration duration);
    [[nodiscard]] std::unique_ptr<net::HttpClient>
    make_client(std::chrono::milliseconds timeout) const;
    [[nodiscard]] Duration retry_cap() const;
    void note_success();
    void note_failure(std::string const& problem);
    void next_tracker();

    net::any_io_executor executor_;
    Options options_;
    Backoff backoff_;
    net::steady_timer retry_timer_;
    std::unique_ptr<net::HttpClient> client_;
    std::size_t tier_ = 0;
    std::size_t place_ = 0; ///< in the tier
    int failures_ = 0;      ///< of this tracker, in a row
    bool is_outage_told_ = false;
    bool is_urgent_ = true;
    bool is_ended_ = false;
    bool has_been_answered_ = false;
};

} // namespace ppsp::peer
