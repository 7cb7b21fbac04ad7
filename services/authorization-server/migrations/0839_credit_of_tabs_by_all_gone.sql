-- In a file of its own: who makes an index and drops another in one transaction asks for a stronger lock than it has, which is how
-- two wait for each other. No release that was made knows these.
drop index tabs_owed, charges_for_tabs;
