-- Which of these trade numbers have a bill of the charger in the database?
SELECT DISTINCT trade_no
FROM pile_bill_uploads
WHERE trade_no IN %(trade_nos)s AND (%(all_operators)s OR operator_id IN %(operator_ids)s);
