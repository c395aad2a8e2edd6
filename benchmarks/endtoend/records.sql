-- How many uploads of records are stored, and how many different charges are they of?
SELECT count(), uniqExact(pile_id, connector, trade_no)
FROM pile_bill_uploads
