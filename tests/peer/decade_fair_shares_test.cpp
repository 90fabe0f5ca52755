#include "peer/decade/fair_shares.hpp"
#include "tests/support/properties.hpp"

#include <array>

namespace ppsp::peer {
namespace {

using Account = FairShares::Account;

/// Connections that always have something to send; runs them in virtual time.
class Senders {
public:
    explicit Senders(std::optional<std::uint64_t> total_bps) : shares_(total_bps) {}

    void add(Account account, std::uint64_t piece = 16 * 1024)
    {
        senders_.push_back({std::move(account), piece, 0});
        ask(senders_.size() - 1);
    }

    void run(Duration time)
    {
        auto const end = now_ + time;
        while (auto const next = shares_.deadline()) {
            if (*next > end) {
                break;
            }
            ASSERT_GE(*next, now_);
            now_ = *next;
            auto const granted = shares_.grant(now_);
            for (auto const ticket : granted) {
                auto const index = static_cast<std::size_t>(ticket % 100);
                senders_[index].sent += senders_[index].piece;
                ask(index);
            }
        }
        now_ = end;
    }

    [[nodiscard]] double sent(std::size_t index) const
    {
        return static_cast<double>(senders_[index].sent);
    }
    [[nodiscard]] FairShares& shares() { return shares_; }

private:
    struct Sender {
        Account account;
        std::uint64_t piece;
        std::uint64_t sent;
    };

    void ask(std::size_t index)
    {
        auto& sender = senders_[index];
        while (shares_.ask(now_, sender.account, sender.piece, ++count_ * 100 + index)) {
            sender.sent += sender.piece;
        }
    }

    FairShares shares_;
    TimePoint now_{Duration{1'000'000}};
    std::vector<Sender> senders_;
    FairShares::Ticket count_ = 0;
};

TEST(FairShares, an_account_keeps_its_rate)
{
    Senders senders(std::nullopt);
    senders.add({"a", 1, 8'000'000});
    senders.run(10s);
    EXPECT_NEAR(senders.sent(0), 10e6, 0.02 * 10e6);
}

TEST(FairShares, all_together_keep_the_limit_and_share_it_by_account)
{
    Senders senders(8'000'000);
    senders.add({"one", 1, std::nullopt});
    for (int i = 0; i < 4; ++i) {
        senders.add({"four", 1, std::nullopt});
    }
    senders.run(10s);
    auto const four = senders.sent(1) + senders.sent(2) + senders.sent(3) + senders.sent(4);
    EXPECT_NEAR(senders.sent(0) + four, 10e6, 0.02 * 10e6);
    EXPECT_NEAR(senders.sent(0), four, 0.02 * four);
    EXPECT_NEAR(senders.sent(1), senders.sent(4), 0.1 * senders.sent(1));
}

TEST(FairShares, weights_count)
{
    Senders senders(8'000'000);
    senders.add({"low", 1, std::nullopt});
    senders.add({"urgent", 8, std::nullopt});
    senders.run(10s);
    EXPECT_NEAR(senders.sent(1) / senders.sent(0), 8.0,
                0.5); // the first burst was for whoever came first
}

TEST(FairShares, what_a_limited_account_leaves_goes_to_the_others)
{
    Senders senders(8'000'000);
    senders.add({"slow", 1, 800'000});
    senders.add({"fast", 1, std::nullopt});
    senders.run(10s);
    EXPECT_NEAR(senders.sent(0), 1e6, 0.1 * 1e6);
    EXPECT_NEAR(senders.sent(1), 9e6, 0.02 * 9e6);
}

TEST(FairShares, who_was_silent_saved_nothing_up)
{
    Senders senders(8'000'000);
    senders.add({"always", 1, std::nullopt});
    senders.run(10s);
    senders.add({"late", 1, std::nullopt});
    auto const before = senders.sent(0);
    senders.run(2s);
    EXPECT_NEAR(senders.sent(1), senders.sent(0) - before, 0.1 * senders.sent(1));
}

TEST(FairShares, pieces_larger_than_the_burst_are_paid_back)
{
    Senders senders(std::nullopt);
    senders.add({"a", 1, 80'000}, 500'000);
    senders.run(500s);
    EXPECT_NEAR(senders.sent(0), 5e6, 0.21 * 5e6); // 10 pieces, and the one before its time
}

TEST(FairShares, a_ticket_can_be_taken_back)
{
    FairShares shares(8'000);
    TimePoint const now{Duration{1}};
    ASSERT_TRUE(shares.ask(now, {"a", 1, std::nullopt}, 1'000'000, 1));
    ASSERT_FALSE(shares.ask(now, {"a", 1, std::nullopt}, 1, 2));
    ASSERT_FALSE(shares.ask(now, {"b", 1, std::nullopt}, 1, 3));
    EXPECT_EQ(shares.waiting(), 2u);
    shares.cancel(2);
    shares.cancel(2);
    EXPECT_EQ(shares.waiting(), 1u);
    auto const at = shares.deadline();
    ASSERT_TRUE(at.has_value());
    EXPECT_TRUE(shares.grant(*at - 10ms).empty());
    EXPECT_EQ(shares.grant(*at), (std::vector<FairShares::Ticket>{3}));
    EXPECT_EQ(shares.deadline(), std::nullopt);
}

TEST(FairShares, nothing_limits_who_has_no_limit)
{
    FairShares const free(std::nullopt);
    EXPECT_FALSE(free.limits({"a", 1, std::nullopt}));
    EXPECT_TRUE(free.limits({"a", 1, 1}));
    FairShares const limited(1);
    EXPECT_TRUE(limited.limits({"a", 1, std::nullopt}));
}

TEST(FairShares, accounts_that_are_silent_are_forgotten)
{
    FairShares shares(std::nullopt);
    TimePoint now{Duration{1}};
    for (int i = 0; i < 20'000; ++i) {
        now += 1s;
        ASSERT_TRUE(shares.ask(now, {std::to_string(i), 1, 8'000'000}, 10, 1)) << i;
    }
    EXPECT_LE(shares.account_count(), FairShares::idle_accounts_max);
}

TEST(FairShares, who_owes_is_not_forgotten_among_however_many)
{
    FairShares shares(std::nullopt);
    TimePoint const now{Duration{1}};
    FairShares::Account const debtor{"debtor", 1, 8'000}; // 1 kB/s
    ASSERT_TRUE(shares.ask(now, debtor, 1'000'000, 1));
    for (std::size_t i = 0; i < 2 * FairShares::idle_accounts_max; ++i) {
        ASSERT_TRUE(shares.ask(now, {std::to_string(i), 1, std::nullopt}, 10, 2));
    }
    EXPECT_LE(shares.account_count(), FairShares::idle_accounts_max);
    EXPECT_FALSE(shares.ask(now + 1s, debtor, 1, 3));
}

} // namespace
} // namespace ppsp::peer
