#include "peer/shell/tracker_exchange.hpp"

#include "protocol/base/assert.hpp"

#include <charconv>

namespace ppsp::peer {
namespace {

constexpr char const* service = "/ppstp";

std::chrono::milliseconds to_ms(Duration duration)
{
    return std::chrono::ceil<std::chrono::milliseconds>(duration);
}

net::Url to_url(TrackerAddress const& tracker)
{
    return {tracker.is_tls, tracker.at.host, tracker.at.port, "/"};
}

bool is_temporary(ppstp::ErrorCode code)
{
    return code == ppstp::ErrorCode::internal || code == ppstp::ErrorCode::unavailable;
}

/// Retry-After in seconds (RFC 9110 §10.2.3); dates and nonsense are zero.
Duration retry_after(net::HttpResponse const& response)
{
    auto const text = response.header("Retry-After").value_or("");
    std::uint32_t seconds = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    return error == std::errc{} ? Duration{std::chrono::seconds{seconds}} : Duration{};
}

} // namespace

/// An answer, or what to say about its absence and how long to wait at least.
struct TrackerExchange::Attempt {
    std::optional<ppstp::Response> response;
    std::string problem;
    Duration wait_min{};
};

TrackerExchange::TrackerExchange(net::any_io_executor executor, Options options, Rng rng)
    : executor_(std::move(executor)), options_(std::move(options)),
      backoff_(rng, options_.timers.retry_first), retry_timer_(executor_)
{
    PPSP_ASSERT(!options_.trackers.empty());
    for (TrackerTier const& tier : options_.trackers) {
        PPSP_ASSERT(!tier.empty());
    }
}

TrackerAddress const& TrackerExchange::tracker() const
{
    return options_.trackers[tier_][place_];
}

net::awaitable<std::optional<ppstp::Response>> TrackerExchange::ask(ppstp::Request request,
                                                                    int attempts)
{
    std::string const body = ppstp::to_json(request);
    for (int i = 0; i < attempts && !is_ended_; ++i) {
        Attempt attempt = co_await try_once(body, request.transaction_id);
        if (is_ended_) {
            break;
        }
        if (attempt.response) {
            note_success();
            co_return std::move(attempt.response);
        }
        note_failure(attempt.problem);
        Duration const pause = std::max(backoff_.next(retry_cap()), attempt.wait_min);
        co_await wait(std::min(pause, options_.timers.retry_max));
    }
    co_return std::nullopt;
}

net::awaitable<void> TrackerExchange::tell(ppstp::Request request,
                                           std::chrono::milliseconds timeout)
{
    client_ = make_client(timeout);
    std::string body = ppstp::to_json(request);
    static_cast<void>(
        co_await client_->post(service, std::string{ppstp::media_type}, std::move(body)));
}

net::awaitable<void> TrackerExchange::pause()
{
    co_await wait(backoff_.next(retry_cap()));
}

net::awaitable<void> TrackerExchange::wait(Duration duration)
{
    if (is_ended_) {
        co_return;
    }
    retry_timer_.expires_after(duration);
    co_await retry_timer_.async_wait(net::use_tuple);
}

void TrackerExchange::end()
{
    is_ended_ = true;
    retry_timer_.cancel();
    if (client_) {
        client_->close();
    }
}

net::awaitable<TrackerExchange::Attempt> TrackerExchange::try_once(std::string body,
                                                                   std::string transaction_id)
{
    if (!client_) {
        client_ = make_client(to_ms(options_.timers.request_timeout));
    }
    Attempt attempt;
    auto const answer =
        co_await client_->post(service, std::string{ppstp::media_type}, std::move(body));
    if (!answer) {
        attempt.problem = "does not answer (" + std::string{net::to_text(answer.error())} + ")";
        co_return attempt;
    }
    auto parsed = ppstp::parse_response(answer->body);
    if (!parsed || parsed->transaction_id != transaction_id) {
        attempt.problem =
            "gives no PPSTP answer (HTTP status " + std::to_string(answer->status) + ")";
        co_return attempt;
    }
    if (is_temporary(parsed->error)) {
        attempt.problem = "cannot answer at the moment";
        attempt.wait_min = retry_after(*answer);
        co_return attempt;
    }
    attempt.response = *std::move(parsed);
    co_return attempt;
}

std::unique_ptr<net::HttpClient>
TrackerExchange::make_client(std::chrono::milliseconds timeout) const
{
    net::HttpClientOptions options;
    options.timeout = timeout;
    options.response_size_max = ppstp::response_size_max;
    options.ca_file = options_.ca_file;
    return std::make_unique<net::HttpClient>(executor_, to_url(tracker()), std::move(options));
}

Duration TrackerExchange::retry_cap() const
{
    return is_urgent_ ? options_.timers.retry_max_joining : options_.timers.retry_max;
}

void TrackerExchange::note_success()
{
    has_been_answered_ = true;
    failures_ = 0;
    backoff_.reset();
    if (is_outage_told_) {
        is_outage_told_ = false;
        options_.message("the tracker at " + tracker().at.text() + " answers");
    }
}

void TrackerExchange::note_failure(std::string const& problem)
{
    if (!is_outage_told_) {
        is_outage_told_ = true;
        options_.message("the tracker at " + tracker().at.text() + " " + problem +
                         ", trying again");
    }
    ++failures_;
    if (failures_ >= failures_per_tracker || is_urgent_) {
        next_tracker();
    }
}

void TrackerExchange::next_tracker()
{
    failures_ = 0;
    bool const is_only_one = options_.trackers.size() == 1 && options_.trackers.front().size() == 1;
    if (is_only_one) {
        return;
    }
    ++place_;
    if (place_ == options_.trackers[tier_].size()) {
        place_ = 0;
        tier_ = (tier_ + 1) % options_.trackers.size();
    }
    client_.reset();
}

} // namespace ppsp::peer
