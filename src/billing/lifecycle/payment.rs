//! From the invoice to the renewal, or to the suspension.

use jiff::civil::Date;

use super::Due;
use super::Effect;
use super::Facts;
use super::Template;
use crate::billing::calendar::CalendarError;
use crate::billing::calendar::REMINDER_DAYS;
use crate::billing::calendar::days_between;

/// What is paid for and not yet in the document, and holds that payment lifts.
pub(super) fn echo(facts: &Facts<'_>, paid_until: Date, today: Date, due: &mut Vec<Due>) {
    let last = paid_until.yesterday().unwrap_or(paid_until);
    if facts.written_through.is_none_or(|written| written < last) {
        due.push(Due::of(facts, Effect::WritePaidThrough { through: last }, last));
    }
    if facts.overdue_since.is_some() && today < paid_until {
        due.push(Due::of(facts, Effect::LiftOverdue, paid_until));
    }
    if let Some(change) = facts.change.filter(|change| change.effective <= today) {
        due.push(Due::of(facts, Effect::ApplyChange { change: change.id }, today));
    }
}

/// The invoice, and the renewal that it is for.
pub(super) fn collect(
    facts: &Facts<'_>,
    paid_until: Date,
    today: Date,
    due: &mut Vec<Due>,
) -> Result<(), CalendarError> {
    let days = days_between(paid_until, today);
    let notice = facts.notice(paid_until);
    if facts.overdue_since.is_some() && days >= 0 {
        // What did not run is not charged: from today on.
        let stretch = facts.anchor.stretch_from(today, notice)?;
        let affordable = (facts.total)(&stretch)
            .is_some_and(|total| total.checked_sub(facts.wallet).is_ok_and(|lack| lack.minor <= 0));
        if (facts.renews || facts.renewal_wanted) && affordable {
            let instead_of = facts.invoice.map(|invoice| invoice.id);
            due.push(Due::of(facts, Effect::RenewFromToday { stretch, instead_of }, today));
        }
        return Ok(());
    }
    if days < -notice && !facts.renewal_wanted {
        return Ok(());
    }
    let Some(invoice) = facts.invoice.filter(|invoice| invoice.start == paid_until) else {
        // The next days always begin on a boundary, or at the end of a trial.
        let stretch = facts.anchor.stretch_from(paid_until, 0)?;
        if (facts.total)(&stretch).is_some() {
            due.push(Due::of(facts, Effect::MakeInvoice { stretch }, paid_until));
        }
        return Ok(());
    };
    if !invoice.delivered {
        let (template, about) = (Template::Invoice, Some(invoice.id));
        due.push(Due::of(facts, Effect::Mail { template, about, day: 0 }, paid_until));
    }
    let affordable = invoice.total.checked_sub(facts.wallet).is_ok_and(|lack| lack.minor <= 0);
    // On the last day that is paid for, so that nothing stops at midnight.
    if affordable && (facts.renewal_wanted || (facts.renews && days >= -1)) {
        due.push(Due::of(facts, Effect::Renew { invoice: invoice.id }, paid_until));
    } else if days >= -1 && !facts.gateway_asked {
        due.push(Due::of(facts, Effect::AskGateway { invoice: invoice.id }, today));
    }
    Ok(())
}

/// The latest mail that is due; those that were missed are not sent late.
pub(super) fn remind(facts: &Facts<'_>, paid_until: Date, today: Date, due: &mut Vec<Due>) {
    let days = days_between(paid_until, today);
    let Some(day) = REMINDER_DAYS.into_iter().rfind(|day| i64::from(*day) <= days) else { return };
    if days >= 0 && facts.suspension_is_blocked(paid_until) && facts.overdue_since.is_none() {
        return;
    }
    let invoice = facts.invoice.filter(|invoice| invoice.start == paid_until);
    let covered = facts.renews
        && invoice.is_some_and(|invoice| {
            invoice.total.checked_sub(facts.wallet).is_ok_and(|lack| lack.minor <= 0)
        });
    let template = match day {
        ..0 if covered => Template::Renews,
        ..0 if facts.trial => Template::TrialEnds,
        ..0 => Template::Expiring,
        0 => Template::Expired,
        1.. => Template::Suspended,
    };
    // Whoever has enough in the wallet is told once.
    if template == Template::Renews && day != REMINDER_DAYS[0] {
        return;
    }
    due.push(Due::of(facts, Effect::Mail { template, about: None, day }, paid_until));
}

/// Suspends what is not paid for; or, where that must not be, keeps the clock from doing so.
pub(super) fn suspend(facts: &Facts<'_>, paid_until: Date, today: Date, due: &mut Vec<Due>) {
    if facts.overdue_since.is_some() || days_between(paid_until, today) < -1 {
        return;
    }
    let renewed = due.iter().any(|due| matches!(due.effect, Effect::Renew { .. }));
    if facts.suspension_is_blocked(paid_until) || renewed {
        // Written a day ahead, for the clock suspends at midnight without asking.
        let Ok(tomorrow) = today.tomorrow() else { return };
        if facts.written_through.is_none_or(|written| written < tomorrow) && !renewed {
            due.push(Due::of(facts, Effect::WriteCourtesy { through: tomorrow }, tomorrow));
        }
    } else if today >= paid_until
        && let Some(invoice) = facts.invoice
    {
        due.push(Due::of(facts, Effect::Suspend { invoice: invoice.id }, today));
    }
}
