#pragma once

#include "protocol/base/time.hpp"
#include "tracker/registry/limits.hpp"

#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

namespace ppsp::tracker {

/// Answers to requests that must not be carried out twice (RFC 7846 §4.3: a peer repeats a request
/// with the same transaction id when no answer arrived). The body belongs to the key: a transaction
/// id with other content is another request (trap P7). Oldest answers go first when it is full.
class ReplayCache {
public:
    explicit ReplayCache(Limits const& limits) : limits_(limits) {}

    /// nullptr if unknown or too old; valid until the next call.
    [[nodiscard]] std::string const* find(TimePoint now, std::string_view peer_id,
                                          std::string_view transaction_id, std::string_view body);
    void store(TimePoint now, std::string_view peer_id, std::string_view transaction_id,
               std::string_view body, std::string answer);

    [[nodiscard]] std::size_t size() const { return answers_.size(); }
    [[nodiscard]] std::size_t byte_count() const { return bytes_; }

private:
    struct Entry {
        std::string answer;
        std::size_t body_hash = 0;
        std::uint64_t serial = 0;
    };
    struct Age {
        TimePoint stored;
        std::string key;
        std::uint64_t serial = 0;
    };

    void drop_oldest();
    void expire(TimePoint now);

    Limits const& limits_;
    std::unordered_map<std::string, Entry> answers_;
    std::deque<Age> ages_; ///< oldest first
    std::size_t bytes_ = 0;
    std::uint64_t next_serial_ = 0;
};

} // namespace ppsp::tracker
