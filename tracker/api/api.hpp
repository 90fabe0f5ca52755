#pragma once

#include "tracker/api/service.hpp"

namespace ppsp::tracker {

/// An HTTP request, whatever the server behind it.
struct ApiRequest {
    std::string_view method;
    std::string_view target; ///< path and query
    std::string_view content_type;
    std::string_view body;
    Endpoint source; ///< of the connection
};

struct ApiReply {
    unsigned status = 200;
    std::string_view content_type;
    std::string body;
    std::optional<std::chrono::seconds> retry_after;
    std::string_view allow; ///< methods, with status 405
};

/// Paths of the tracker: `POST /ppstp`, `GET /status`, `/healthz`, `/metrics`.
class Api {
public:
    Api(TimePoint started, Limits const& limits, std::optional<AllowList> allow_list, Rng rng)
        : started_(started), service_(limits, std::move(allow_list), rng)
    {}

    [[nodiscard]] ApiReply handle(TimePoint now, ApiRequest const& request);
    /// Call about once a second, so that timers run while nobody asks.
    void tick(TimePoint now) { service_.expire(now); }
    /// As `Service::issue_memberships`.
    void issue_memberships(integrity::PrivateKey key, UnixMicros utc_at_zero)
    {
        service_.issue_memberships(std::move(key), utc_at_zero);
    }

    [[nodiscard]] Service const& service() const { return service_; }

private:
    [[nodiscard]] ApiReply ppstp(TimePoint now, ApiRequest const& request);

    TimePoint started_;
    Service service_;
};

/// Swarms in `GET /status`; the largest of them all would make it megabytes.
inline constexpr std::size_t status_swarms_max = 100;

/// Body of `GET /status`.
[[nodiscard]] std::string status_json(Service const& service, TimePoint started, TimePoint now);
/// Body of `GET /metrics` in the text format of Prometheus.
[[nodiscard]] std::string metrics_text(Service const& service, TimePoint started, TimePoint now);

} // namespace ppsp::tracker
