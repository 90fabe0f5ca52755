#include "tests/bottleneck/bottleneck.hpp"

#include <algorithm>

namespace ppsp::bottleneck {
namespace {

constexpr Duration hiccup_gap = 100ms; ///< on average

} // namespace

Bottleneck::Bottleneck(LinkConfig const& config, std::uint64_t seed)
    : config_(config), rng_(seed),
      queue_bytes_max_(static_cast<std::size_t>(config.rate_bps / 8e6 *
                                                static_cast<double>(config.queue.count())))
{
    schedule(TimePoint{100ms}, [this] { tick(); });
}

void Bottleneck::add(std::unique_ptr<Conversation> conversation, Duration start)
{
    std::size_t const index = members_.size();
    Member member;
    member.conversation = std::move(conversation);
    members_.push_back(std::move(member));
    // Nobody starts in step with anybody.
    schedule(TimePoint{start} + Duration{rng_.between(0, 5'000)}, [this, index] {
        members_[index].started = true;
        members_[index].conversation->start(now_);
        run_sender(index);
    });
    if (config_.hiccup_max > Duration::zero() && members_[index].conversation->is_program()) {
        hiccup(index, &Member::sender_stopped_until);
        hiccup(index, &Member::receiver_stopped_until);
    }
}

/// The first comes after a while, too.
void Bottleneck::hiccup(std::size_t index, TimePoint Member::* stopped_until)
{
    schedule(
        now_ + Duration{rng_.between(0, 2 * hiccup_gap.count())}, [this, index, stopped_until] {
            TimePoint& until = members_[index].*stopped_until;
            until = std::max(until, now_ + Duration{rng_.between(0, config_.hiccup_max.count())});
            hiccup(index, stopped_until);
        });
}

void Bottleneck::at(Duration time, std::function<void()> change)
{
    schedule(TimePoint{time}, std::move(change));
}

void Bottleneck::run_until(Duration end)
{
    while (!events_.empty() && events_.top().at <= TimePoint{end}) {
        Event const event = events_.top();
        events_.pop();
        now_ = event.at;
        event.what();
    }
}

void Bottleneck::schedule(TimePoint at, std::function<void()> what)
{
    events_.push({std::max(at, now_), order_++, std::move(what)});
}

void Bottleneck::run_sender(std::size_t index)
{
    Member& member = members_[index];
    if (now_ < member.sender_stopped_until) {
        schedule(member.sender_stopped_until, [this, index] { run_sender(index); });
        return;
    }
    while (auto const packet = member.conversation->send(now_)) {
        enqueue(index, *packet);
    }
    TimePoint const wake = member.conversation->sender_wake(now_);
    if (wake < member.sender_wake || member.sender_wake <= now_) {
        member.sender_wake = std::max(wake, now_ + 1us);
        if (wake != TimePoint::max()) {
            schedule(member.sender_wake, [this, index, at = member.sender_wake] {
                if (members_[index].sender_wake == at) {
                    members_[index].sender_wake = TimePoint::max();
                    run_sender(index);
                }
            });
        }
    }
}

void Bottleneck::run_receiver(std::size_t index)
{
    Member& member = members_[index];
    if (now_ < member.receiver_stopped_until) {
        schedule(member.receiver_stopped_until, [this, index] { run_receiver(index); });
        return;
    }
    auto acks = member.conversation->take_acks(now_);
    if (!acks.empty()) {
        TimePoint arrival =
            now_ + config_.back + Duration{rng_.between(0, config_.ack_jitter.count())};
        arrival = std::max(arrival, member.last_ack_arrival);
        member.last_ack_arrival = arrival;
        schedule(arrival, [this, index, acks = std::move(acks)] { deliver_acks(index, acks); });
    }
    TimePoint const wake = member.conversation->receiver_wake();
    if (wake != TimePoint::max() && wake != member.receiver_wake) {
        member.receiver_wake = wake;
        schedule(wake, [this, index] { run_receiver(index); });
    }
}

void Bottleneck::deliver_acks(std::size_t index, std::vector<wire::Ack> const& acks)
{
    Member& member = members_[index];
    if (now_ < member.sender_stopped_until) {
        schedule(member.sender_stopped_until, [this, index, acks] { deliver_acks(index, acks); });
        return;
    }
    member.conversation->on_acks(now_, acks);
    run_sender(index);
}

void Bottleneck::deliver(std::size_t index, Conversation::Packet const& packet)
{
    Member& member = members_[index];
    if (now_ < member.receiver_stopped_until) {
        schedule(member.receiver_stopped_until, [this, index, packet] { deliver(index, packet); });
        return;
    }
    member.conversation->on_packet(now_, packet);
    run_receiver(index);
}

void Bottleneck::enqueue(std::size_t index, Conversation::Packet const& packet)
{
    if (queue_bytes_ + packet.ip_bytes > queue_bytes_max_) {
        tenth_.dropped += 1;
        return;
    }
    queue_.push_back({index, packet, now_});
    queue_bytes_ += packet.ip_bytes;
    if (queue_.size() == 1) {
        serve();
    }
}

void Bottleneck::serve()
{
    us_owed_ += static_cast<double>(queue_.front().packet.ip_bytes) * 8e6 / config_.rate_bps;
    Duration const service{static_cast<std::int64_t>(us_owed_)};
    us_owed_ -= static_cast<double>(service.count());
    tenth_.queue_ms += static_cast<double>((now_ - queue_.front().since).count()) / 1e3;
    schedule(now_ + service, [this] { served(); });
}

void Bottleneck::served()
{
    Queued const front = queue_.front();
    queue_.pop_front();
    queue_bytes_ -= front.packet.ip_bytes;
    tenth_.packets += 1;
    tenth_.bytes.resize(members_.size());
    tenth_.bytes[front.member] += front.packet.ip_bytes;
    if (!rng_.chance(config_.loss)) {
        schedule(now_ + config_.there, [this, front] { deliver(front.member, front.packet); });
    }
    if (!queue_.empty()) {
        serve();
    }
}

void Bottleneck::tick()
{
    tenth_.bytes.resize(members_.size());
    for (Member const& member : members_) {
        tenth_.windows.push_back(member.conversation->window_bytes());
    }
    if (tenth_.packets > 0) {
        tenth_.queue_ms /= tenth_.packets;
    }
    tenths_.push_back(std::move(tenth_));
    tenth_ = Tenth{};
    schedule(now_ + 100ms, [this] { tick(); });
}

} // namespace ppsp::bottleneck
