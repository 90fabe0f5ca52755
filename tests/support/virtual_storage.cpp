#include "tests/support/virtual_storage.hpp"

#include <algorithm>

namespace ppsp::test {

void VirtualStorage::begin(integrity::Signer& signer, peer::ObjectCollector objects)
{
    signer_ = &signer;
    recorder_ = std::make_unique<peer::MunroRecorder>(signer, wire::AddressingMode::chunk32);
    objects_.emplace(std::move(objects));
}

void VirtualStorage::on_unit(TimePoint now, UnixMicros utc, ByteVector payload, bool random_access)
{
    auto munro = recorder_->take();
    if (!munro) {
        return;
    }
    auto object = objects_->add({munro->chunks, munro->signed_at, std::move(munro->signature),
                                 std::move(payload),
                                 random_access ? std::optional<std::size_t>(0) : std::nullopt},
                                utc);
    if (!object) {
        return;
    }
    auto const swarm = signer_->swarm_id();
    constexpr std::size_t kept = 200;
    order_.push_back(decade::alias_path(swarm, object->entry.chunks));
    order_.push_back(object->entry.name.path());
    while (order_.size() > 2 * kept) {
        files_.erase(order_.front());
        order_.pop_front();
    }
    files_[decade::alias_path(swarm, object->entry.chunks)] = {now, object->bytes};
    files_[object->entry.name.path()] = {now, std::move(object->bytes)};
    auto const text = to_text(objects_->index(utc), *signer_);
    indexes_.push_back({now, {text.begin(), text.end()}});
    if (indexes_.size() > kept) {
        indexes_.erase(indexes_.begin());
    }
}

std::pair<Answer, Duration> VirtualStorage::answer(TimePoint now, peer::FetchWanted const& wanted)
{
    Server& server = servers.at(wanted.server);
    server.requests += 1;
    if (!server.alive) {
        return {Answer{}, wanted.timeout};
    }
    Answer answer{404, {}};
    auto const is_there = [&](File const& file) { return file.made + server.publish_lag <= now; };
    if (wanted.path == decade::index_path(signer_->swarm_id())) {
        auto const newest = std::find_if(indexes_.rbegin(), indexes_.rend(), is_there);
        if (newest != indexes_.rend()) {
            answer = {200, newest->bytes};
        }
    } else if (auto const file = files_.find(wanted.path);
               file != files_.end() && is_there(file->second)) {
        ByteVector const& bytes = file->second.bytes;
        answer = {200, bytes};
        if (wanted.range && server.knows_ranges && wanted.range->first < bytes.size()) {
            auto const first = static_cast<std::ptrdiff_t>(wanted.range->first);
            auto const end = static_cast<std::ptrdiff_t>(
                std::min<std::uint64_t>(wanted.range->second + 1, bytes.size()));
            answer = {206, ByteVector(bytes.begin() + first, bytes.begin() + end)};
        }
    }
    server.not_found += answer.status == 404 ? 1 : 0;
    if (server.meddle) {
        server.meddle(wanted, answer);
    }
    if (answer.body.size() > wanted.size_max) {
        answer = {};
    }
    server.bytes += answer.body.size();
    Duration took = server.latency +
                    Duration{static_cast<Duration::rep>(static_cast<double>(answer.body.size()) *
                                                        1e6 / server.bytes_per_second)};
    if (server.uplink_bytes_per_second > 0) {
        auto const busy =
            static_cast<double>(answer.body.size()) * 1e6 / server.uplink_bytes_per_second;
        server.busy_until =
            std::max(server.busy_until, now) + Duration{static_cast<Duration::rep>(busy)};
        took = std::max(took, server.busy_until - now + server.latency);
    }
    return took <= wanted.timeout ? std::pair{std::move(answer), took}
                                  : std::pair{Answer{}, wanted.timeout};
}

} // namespace ppsp::test
