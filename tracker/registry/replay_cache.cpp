#include "tracker/registry/replay_cache.hpp"

#include <functional>

namespace ppsp::tracker {
namespace {

/// Ids have no control characters, so the separator cannot be part of one.
std::string key_of(std::string_view peer_id, std::string_view transaction_id)
{
    std::string key;
    key.reserve(peer_id.size() + transaction_id.size() + 1);
    key.append(peer_id).append("\n").append(transaction_id);
    return key;
}

} // namespace

std::string const* ReplayCache::find(TimePoint now, std::string_view peer_id,
                                     std::string_view transaction_id, std::string_view body)
{
    expire(now);
    auto const found = answers_.find(key_of(peer_id, transaction_id));
    bool const is_same =
        found != answers_.end() && found->second.body_hash == std::hash<std::string_view>{}(body);
    return is_same ? &found->second.answer : nullptr;
}

void ReplayCache::store(TimePoint now, std::string_view peer_id, std::string_view transaction_id,
                        std::string_view body, std::string answer)
{
    expire(now);
    auto key = key_of(peer_id, transaction_id);
    if (auto const old = answers_.find(key); old != answers_.end()) {
        bytes_ -= old->second.answer.size();
    }
    bytes_ += answer.size();
    auto const serial = next_serial_++;
    answers_.insert_or_assign(
        key, Entry{std::move(answer), std::hash<std::string_view>{}(body), serial});
    ages_.push_back({now, std::move(key), serial});
    while (ages_.size() > limits_.replays_max || bytes_ > limits_.replay_bytes_max) {
        drop_oldest();
    }
}

void ReplayCache::drop_oldest()
{
    auto const& oldest = ages_.front();
    auto const found = answers_.find(oldest.key);
    if (found != answers_.end() && found->second.serial == oldest.serial) {
        bytes_ -= found->second.answer.size();
        answers_.erase(found);
    }
    ages_.pop_front();
}

void ReplayCache::expire(TimePoint now)
{
    while (!ages_.empty() && now - ages_.front().stored >= limits_.replay_time) {
        drop_oldest();
    }
}

} // namespace ppsp::tracker
